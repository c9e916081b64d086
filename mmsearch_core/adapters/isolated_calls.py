"""Work on files that strangers sent, in child processes, which may hang, swell or die without
taking the task with them."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from pebble import ProcessExpired, ProcessFuture

from mmsearch_core.confined import ConfinedPool
from mmsearch_core.errors import BadRecord, KilledTheWorker, MediaTooLarge, TryLater
from mmsearch_core.settings import Decode

MOST_PROCESSES = 8
GRACE_SECONDS = 60  # for processes to start and to be ended
CALLS = 500  # after which a process is replaced

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """What a child is to do with one file."""

    work: Callable[..., T]  # raises UnreadableMedia, UnsupportedMedia or MediaTooLarge
    arguments: tuple[object, ...]
    kind: str  # of file
    limit: str  # the setting of Decode that says how many seconds the call may take


class IsolatedCalls(Generic[T]):
    """Answers calls in a pool of confined processes."""

    def __init__(self, settings: Decode, *, modules: Sequence[str]) -> None:
        """Modules are what the calls import."""
        self._settings = settings
        self._modules = modules

    def answers(self, calls: Sequence[Call[T]]) -> list[T | BadRecord]:
        """One answer per call, in order. A child may die for reasons of its host, so a call is
        blamed only when a second one dies on it alone."""
        answers = self._try(calls) if calls else []
        for place, answer in enumerate(answers):
            if answer is None or isinstance(answer, KilledTheWorker):
                (answers[place],) = self._try([calls[place]])
        if None in answers:
            raise TryLater(
                "The processes that open files die at once: free memory, or lower decode.processes."
            )
        return [answer for answer in answers if answer is not None]

    def _try(self, calls: Sequence[Call[T]]) -> list[T | BadRecord | None]:
        """None: the pool broke before it was known who did it."""
        if not self._pool.working:  # a child that was killed while all were idle breaks it
            self._give_up()
        try:
            futures = [self._start(call) for call in calls]
        except RuntimeError:
            return [None] * len(calls)
        answers, patience = [], GRACE_SECONDS + sum(map(self._seconds, calls))
        for future, call in zip(futures, calls, strict=True):
            answers.append(answer := self._answer(call, future, patience))
            # of a broken pool, what is not answered yet never will be
            patience = 0 if answer is None else patience
        if not patience:
            self._give_up()
        return answers

    def _start(self, call: Call[T]) -> ProcessFuture[T | BadRecord]:
        seconds = self._seconds(call)
        return self._pool.start(answered, call, self._settings.memory_mb, seconds=seconds)

    def _seconds(self, call: Call[T]) -> float:
        return float(getattr(self._settings, call.limit))

    @cached_property
    def _pool(self) -> ConfinedPool:
        workers = self._settings.processes or min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
        return ConfinedPool(
            processes=workers,
            memory=self._settings.memory_mb * 1024**2,
            modules=(__name__, *self._modules),
            calls=CALLS,
        )

    def _give_up(self) -> None:
        self._pool.end()
        del self._pool

    def _answer(
        self, call: Call[T], future: ProcessFuture[T | BadRecord], seconds: float
    ) -> T | BadRecord | None:
        try:
            return future.result(seconds)
        except TimeoutError:
            if not future.done():  # a child died between taking the item and saying so
                return None
            return MediaTooLarge(
                f"The {call.kind} took longer than decode.{call.limit} ({self._seconds(call):g} s)"
                " to open."
            )
        except ProcessExpired as death:
            return KilledTheWorker(
                f"Two decoding processes died on the file (exit code {death.exitcode})."
            )
        except (BrokenProcessPool, CancelledError):
            return None


def answered(call: Call[T], memory_mb: int) -> T | BadRecord:
    """In the child: an error goes back as a new one, for the child keeps its last answer while it
    opens the next file, and an error that was raised keeps the frames that raised it and all the
    memory in them."""
    try:
        return call.work(*call.arguments)
    except BadRecord as error:
        return type(error)(str(error))
    except MemoryError:
        return MediaTooLarge(f"The file needs more than decode.memory_mb ({memory_mb} MB) to open.")
