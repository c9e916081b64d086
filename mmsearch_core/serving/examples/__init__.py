"""Readers of published results, for a shop to copy: they use nothing of ours."""
