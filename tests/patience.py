"""How long a test waits for what has to come: one patience for all, since a busy machine starts in
twenty seconds what an idle one starts in one."""

import time
from collections.abc import Callable

PATIENCE = 120.0  # seconds


def until(
    true: Callable[[], object], what: str, *, seconds: float = PATIENCE, pause: float = 0.05
) -> None:
    """Return once ``true()`` holds; AssertionError names ``what`` if it does not within
    ``seconds``."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"after {seconds:g} seconds: not {what}"
        time.sleep(pause)
