"""Settings to a running whole: the only room that picks implementations."""

from mmsearch_core.wiring.batches import Runtime

__all__ = ["Runtime"]
