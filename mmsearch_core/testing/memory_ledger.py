"""A ledger in memory: the real one on a SQLite database that no file holds."""

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger


class MemoryLedger(SqlLedger):
    """Keeps every promise of the ledger because it is the ledger; gone when it is dropped."""

    def __init__(self) -> None:
        super().__init__("sqlite://")
