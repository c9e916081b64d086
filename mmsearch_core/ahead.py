"""Working ahead: the next items are fetched or prepared by threads while the present ones are
used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def ahead(
    work: Callable[[In], Out], items: Iterable[In], *, workers: int, window: int
) -> Iterator[Out]:
    """``map(work, items)``, in order, at most ``window`` items ahead of whoever iterates; memory
    stays bounded.

    (``Executor.map`` takes all items at once; its ``buffersize`` comes with Python 3.14.)
    """
    rest = iter(items)
    with ThreadPoolExecutor(workers) as threads:
        waiting: deque[Future[Out]] = deque(
            threads.submit(work, item) for item in islice(rest, window)
        )
        try:
            while waiting:
                done = waiting.popleft().result()
                waiting.extend(threads.submit(work, item) for item in islice(rest, 1))
                yield done
        finally:
            for future in waiting:
                future.cancel()
