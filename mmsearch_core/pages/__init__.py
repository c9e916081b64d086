"""The page of a run: what it says and how it looks. Needs the bucket, and neither index nor
model."""
