"""Pictures as buckets really hold them: a seeded suite of good, odd, broken and hostile files."""
