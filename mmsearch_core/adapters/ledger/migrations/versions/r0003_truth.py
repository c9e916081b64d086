"""What an index is held against: how many rows an asset has and what they say; which state of the
feed was taken in, and the pictures of a product; when a failure was last tried again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns and the table; of what is live already, the rows are counted when it is next
    written."""
    op.add_column("assets", sa.Column("rows", sa.Integer, nullable=False, server_default="0"))
    op.add_column("assets", sa.Column("content", sa.String(64), nullable=False, server_default=""))
    op.add_column("assets", sa.Column("redriven_at", sa.DateTime(timezone=True)))
    failed = sa.text("failure_kind IS NOT NULL")
    columns = ["target_id", "redriven_at"]
    op.create_index(
        "assets_failed", "assets", columns, sqlite_where=failed, postgresql_where=failed
    )
    op.create_table(
        "feeds",
        sa.Column("feed", sa.String(1024), primary_key=True),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
    )
    op.create_index("assets_by_product", "assets", ["target_id", "product_id"])
