"""How the ledger's tables came to be what they are: Alembic's environment, and one file a change in
``versions``."""
