"""The tables of the ledger as they are today. Every change of them is a new file in
``migrations/versions``."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

# not Alembic's own name: Airflow may keep its tables in the same database
VERSION_TABLE = "ledger_version"

tables = MetaData()

targets = Table(
    "targets",
    tables,
    Column("target_id", String(64), primary_key=True),
    Column("collection", String(255), nullable=False),
    Column("collection_uuid", String(64), nullable=False),
    Column("recipes", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("commit_number", BigInteger, nullable=False, default=0),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

# one row an asset and target: what is live, and what is being written
assets = Table(
    "assets",
    tables,
    Column("target_id", String(64), primary_key=True),
    Column("asset_id", String(64), primary_key=True),
    Column("bucket", String(255), nullable=False),
    Column("key", Text, nullable=False),
    Column("product_id", Text, nullable=False),
    Column("source_version", Text, nullable=False),
    Column("product_text", String(64), nullable=False),
    Column("state", String(24), nullable=False),
    Column("target_build", String(64)),
    Column("live_build", String(64)),
    Column("observed_at", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False, default=0),
    Column("failure_stage", String(32)),
    Column("failure_kind", String(64)),
    Column("failure_message", Text),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("rows", Integer, nullable=False, default=0, server_default="0"),  # of the live build
    Column(
        "content", String(64), nullable=False, default="", server_default=""
    ),  # digest of these rows; "": unknown
    Column("redriven_at", DateTime(timezone=True)),  # when a failure was last tried again
    Index("assets_by_state", "target_id", "state", "changed_at"),
    Index("assets_by_product", "target_id", "product_id"),
    # few rows in a large table: those of which something failed
    Index(
        "assets_failed",
        "target_id",
        "redriven_at",
        sqlite_where=text("failure_kind IS NOT NULL"),
        postgresql_where=text("failure_kind IS NOT NULL"),
    ),
)

products = Table(
    "products",
    tables,
    Column("product_id", String(255), primary_key=True),
    Column("title", JSON, nullable=False),
    Column("url", Text),
    Column("price", Float),
    Column("currency", String(8)),
    Column("in_stock", Integer, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("text_digest", String(64), nullable=False),
    Column("facts_digest", String(64), nullable=False),
)

# which state of the feed the products are of: one row, since a ledger serves one catalog
feeds = Table(
    "feeds",
    tables,
    Column("feed", String(1024), primary_key=True),  # bucket and key
    Column("version", Text, nullable=False),
    Column("modified_at", DateTime(timezone=True), nullable=False),
    Column("token", BigInteger, nullable=False),  # rises with every other state
    Column(
        "whole", Boolean, nullable=False
    ),  # all its products are in, and the pictures they concern in batches
)

batches = Table(
    "batches",
    tables,
    Column("batch_id", String(64), primary_key=True),
    Column("target_id", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("status", String(16), nullable=False),  # open, done, failed, superseded
    Column("counts", JSON, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Index("batches_by_status", "target_id", "status"),
)

leases = Table(
    "leases",
    tables,
    Column("name", String(255), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires", Float, nullable=False),  # seconds since the epoch
)
