"""Rings while messages wait in the queue of changes: one JSON line each time, until nobody
listens."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from mmsearch_core.ports.stores import ChangeFeed, ObjectStore
from mmsearch_core.settings import Queue, load_settings
from mmsearch_core.stages.hints.drain import DRAINED
from mmsearch_core.wiring.batches import Runtime
from tasks._command import attempt, configure_logs


def rings(
    changes: ChangeFeed,
    settings: Queue,
    *,
    drained: Callable[[], str],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[int]:
    """How many messages wait, whenever somebody should come: soon after the first, then again and
    again, since a ring may be lost. Each ring that brings nobody who succeeds doubles the pause: a
    drain that cannot work until a person acts is not started thousands of times a day.

    :param drained: the last run that took messages out of the queue.
    """
    last, fruitless, rung = drained(), 0, 0.0
    while True:
        waiting = changes.waiting()
        if waiting:
            if (current := drained()) != last:
                last, fruitless = current, min(fruitless, 1)
            if fruitless == 0 or clock() - rung >= pause_after(fruitless, settings):
                yield waiting
                fruitless, rung = fruitless + 1, clock()
        sleep(settings.poll_seconds)


def pause_after(fruitless: int, settings: Queue) -> float:
    """Seconds until the next ring.

    :param fruitless: rings since the last drain that ended well, at least 1.
    """
    doublings = min(fruitless - 1, 20)
    return min(settings.ring_again_seconds * 2.0**doublings, settings.ring_longest_seconds)


def listen() -> NoReturn:
    """Ring until the other end of the pipe is gone; an error of ours ends it, and whoever listens
    begins again."""
    runtime = Runtime(load_settings())
    for waiting in rings(
        runtime.changes, runtime.settings.queue, drained=lambda: last_drained(runtime.work)
    ):
        sys.stdout.write(json.dumps({"waiting": waiting}) + "\n")
        sys.stdout.flush()
    raise AssertionError("rings() never ends")


def last_drained(work: ObjectStore) -> str:
    """Names the last run that took messages out of the queue; empty before the first."""
    mark = work.head(DRAINED)
    return mark.etag if mark else ""


if __name__ == "__main__":
    configure_logs()
    sys.exit(attempt(listen))
