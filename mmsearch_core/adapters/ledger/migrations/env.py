"""What Alembic runs: the revisions, on the connection and in the transaction that the caller
holds."""

from alembic import context

from mmsearch_core.adapters.ledger.schema import VERSION_TABLE, tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite changes a table by copying it
)
context.run_migrations()
