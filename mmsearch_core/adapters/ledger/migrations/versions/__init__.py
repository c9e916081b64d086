"""One file a change of the ledger's tables, each with the id of the one before."""
