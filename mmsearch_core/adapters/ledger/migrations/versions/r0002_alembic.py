"""The version of the tables is kept by Alembic, no more in a table of ours. Nothing looks assets up
by key, and an index that is not read costs every write."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Drop what is not read."""
    op.drop_table("meta")
    op.drop_index("assets_by_key", "assets")
