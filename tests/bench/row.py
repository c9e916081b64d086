"""A row of the table, and how two ways of doing the same work are compared."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``ours`` and ``reference`` are medians in ``unit``; ``ratio`` is the median of the rounds'
    own ratios. What could not be measured has no numbers, and ``work`` says why."""

    name: str
    ours: float | None
    reference: float | None
    ratio: float | None
    unit: str
    work: str
    peak_memory_mb: float | None


def compare(
    name: str,
    ours: Callable[[], object],
    reference: Callable[[], object],
    *,
    items: int,
    unit: str,
    work: str,
    before: Callable[[], object] = lambda: None,
) -> list[Row]:
    """Items a second of both, in turns, so that a busy minute of the machine hits both; ``before``
    makes ready for ours and is not counted. The second row counts the seconds that this process had
    a core: what others take of a shared machine is not in it, nor are the servers."""
    rounds: list[tuple[Spent, Spent]] = []
    for number in range(ROUNDS):
        before()
        if number % 2:
            rounds.append((spent(ours), spent(reference)))
        else:
            theirs = spent(reference)
            rounds.append((spent(ours), theirs))
    return [
        Row(
            name=f"{name}{suffix}",
            ours=round(median(items / getattr(mine, clock) for mine, _ in rounds), 2),
            reference=round(median(items / getattr(theirs, clock) for _, theirs in rounds), 2),
            ratio=round(
                median(getattr(theirs, clock) / getattr(mine, clock) for mine, theirs in rounds), 3
            ),
            unit=per,
            work=work,
            peak_memory_mb=peak_memory_mb(),
        )
        for suffix, clock, per in (
            ("", "wall", f"{unit}/s"),
            (" (CPU)", "cpu", f"{unit}/s of a core"),
        )
    ]


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the wall, and seconds in which this process had a core."""

    wall: float
    cpu: float


def spent(run: Callable[[], object]) -> Spent:
    """What it takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def peak_memory_mb() -> float:
    """The most that this process held at once."""
    return megabytes(resource.getrusage(resource.RUSAGE_SELF))


def peak_memory_of_task(state: Path, task: str, *arguments: str) -> float:
    """The most that a command held at once, run as Airflow runs it against the servers under
    ``state``."""
    environment = {**os.environ, "MMSEARCH_CONFIG": str(state / "mmsearch.toml")}
    process = subprocess.Popen(
        [sys.executable, "-m", f"tasks.{task}", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"tasks.{task} ended with exit code {process.returncode}")
    return megabytes(usage)


def threads() -> int:
    """Threads of torch on both sides: as many as the demo gives a task, unless the environment says
    otherwise."""
    return int(os.environ.setdefault("OMP_NUM_THREADS", "1"))


def megabytes(usage: resource.struct_rusage) -> float:
    """The most that a process held, as the kernel tells."""
    return round(usage.ru_maxrss / 1024, 1)
