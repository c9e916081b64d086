"""Settings to a running whole: the only room that picks implementations."""
