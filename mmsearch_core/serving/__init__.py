"""How finished results are read. Needs the bucket, and nothing else of ours: no index, no model."""
