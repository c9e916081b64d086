"""The index equals the bucket whatever happens: histories, kills, and what both are held
against."""
