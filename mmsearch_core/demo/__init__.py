"""The demonstration shop: its words, its sample catalog and query log, and the training of the
shipped tiny models."""
