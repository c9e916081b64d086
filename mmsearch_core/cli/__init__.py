"""``mmsearch``: look into the index and the results, and add to the catalog."""

from mmsearch_core.cli.app import main

__all__ = ["main"]
