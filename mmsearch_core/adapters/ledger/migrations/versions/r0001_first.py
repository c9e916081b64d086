"""The tables of version 0.1."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "meta",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "targets",
        sa.Column("target_id", sa.String(64), primary_key=True),
        sa.Column("collection", sa.String(255), nullable=False),
        sa.Column("collection_uuid", sa.String(64), nullable=False),
        sa.Column("recipes", sa.JSON, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("commit_number", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    _assets()
    op.create_table(
        "products",
        sa.Column("product_id", sa.String(255), primary_key=True),
        sa.Column("title", sa.JSON, nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("price", sa.Float),
        sa.Column("currency", sa.String(8)),
        sa.Column("in_stock", sa.Integer, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("text_digest", sa.String(64), nullable=False),
        sa.Column("facts_digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.String(64), primary_key=True),
        sa.Column("target_id", sa.String(64), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("batches_by_status", "batches", ["target_id", "status"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
    )


def _assets() -> None:
    op.create_table(
        "assets",
        sa.Column("target_id", sa.String(64), primary_key=True),
        sa.Column("asset_id", sa.String(64), primary_key=True),
        sa.Column("bucket", sa.String(255), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("product_id", sa.Text, nullable=False),
        sa.Column("source_version", sa.Text, nullable=False),
        sa.Column("product_text", sa.String(64), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("target_build", sa.String(64)),
        sa.Column("live_build", sa.String(64)),
        sa.Column("observed_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failure_stage", sa.String(32)),
        sa.Column("failure_kind", sa.String(64)),
        sa.Column("failure_message", sa.Text),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("assets_by_key", "assets", ["target_id", "key"])
    op.create_index("assets_by_state", "assets", ["target_id", "state", "changed_at"])
