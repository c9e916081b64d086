"""A row of the table, and how two ways of doing the same work are compared."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import psutil

ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``ours`` and ``reference`` are medians in ``unit``; ``ratio`` is the median of the rounds' own ratios."""

    name: str
    ours: float
    reference: float
    ratio: float
    unit: str
    work: str
    peak_memory_mb: float


def compare(
    name: str, ours: Callable[[], object], reference: Callable[[], object], *, items: int, unit: str, work: str
) -> Row:
    """Items a second of both, in turns, so that a busy minute of the machine hits both."""
    rates: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        order = (ours, reference) if number % 2 else (reference, ours)
        spent = {run: items / seconds(run) for run in order}
        rates.append((spent[ours], spent[reference]))
    return Row(
        name=name,
        ours=round(median(rate for rate, _ in rates), 2),
        reference=round(median(rate for _, rate in rates), 2),
        ratio=round(median(a / b for a, b in rates), 3),
        unit=unit,
        work=work,
        peak_memory_mb=peak_memory_mb(),
    )


def seconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def peak_memory_mb() -> float:
    """The most that this process held at once."""
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def threads() -> int:
    """Cores that torch may use here, on both sides."""
    return psutil.cpu_count(logical=True) or 1
