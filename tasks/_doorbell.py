"""Rings while messages wait in the queue of changes: one JSON line each time, until nobody listens."""

import json
import sys
import time
from collections.abc import Callable, Iterator

from mmsearch_core.ports import ChangeFeed
from mmsearch_core.settings import Queue, load_settings
from mmsearch_core.wiring import Runtime
from tasks._command import attempt, configure_logs


def rings(changes: ChangeFeed, settings: Queue, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """How many messages wait, whenever somebody should come: soon after the first, then again and again until none
    does, since a ring may be lost."""
    while True:
        waiting = changes.waiting()
        if waiting:
            yield waiting
        sleep(settings.ring_again_seconds if waiting else settings.poll_seconds)


def listen() -> dict[str, object]:
    """Ring until the other end of the pipe is gone; an error of ours ends it, and whoever listens begins again."""
    runtime = Runtime(load_settings())
    for waiting in rings(runtime.changes, runtime.settings.queue):
        sys.stdout.write(json.dumps({"waiting": waiting}) + "\n")
        sys.stdout.flush()
    raise AssertionError("rings() never ends")


if __name__ == "__main__":
    configure_logs()
    sys.exit(attempt(listen))
