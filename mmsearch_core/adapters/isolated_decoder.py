"""Assets opened in child processes, which may hang, swell or die without taking the task with
them."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property

from pebble import ProcessExpired, ProcessFuture

from mmsearch_core.confined import ConfinedPool
from mmsearch_core.errors import (
    BadRecord,
    KilledTheWorker,
    MediaTooLarge,
    TryLater,
    UnsupportedMedia,
)
from mmsearch_core.ports.media import Content, Item
from mmsearch_core.records.segment import Decoded
from mmsearch_core.settings import Decode

MOST_PROCESSES = 8
GRACE_SECONDS = 60  # for processes to start and to be ended
CALLS = 500  # after which a process is replaced

Answer = list[Decoded] | BadRecord
# the segments of a file of one kind; raises UnreadableMedia, UnsupportedMedia or MediaTooLarge
Opener = Callable[[Content, Decode], list[Decoded]]


class IsolatedDecoder:
    """Opens assets of every kind that it has an opener for."""

    def __init__(
        self, settings: Decode, openers: Mapping[str, Opener], *, modules: Sequence[str]
    ) -> None:
        """
        :param openers: by kind of asset.
        :param modules: what the openers import.
        """
        self._settings = settings
        self._openers = openers
        self._modules = modules

    def decode(self, items: Sequence[Item]) -> list[Answer]:
        """The segments of each item, in order. A child may die for reasons of its host, so an item
        is blamed only when a second one dies on it alone."""
        known = [place for place, (kind, _) in enumerate(items) if kind in self._openers]
        opened = self._decode([items[place] for place in known])
        answers: dict[int, Answer] = dict(zip(known, opened, strict=True))
        return [
            answers.get(place) or cannot_be_opened(kind) for place, (kind, _) in enumerate(items)
        ]

    def _decode(self, items: Sequence[Item]) -> list[Answer]:
        answers = self._open(items) if items else []
        for place, answer in enumerate(answers):
            if answer is None or isinstance(answer, KilledTheWorker):
                (answers[place],) = self._open([items[place]])
        if None in answers:
            raise TryLater(
                "The processes that open files die at once: free memory, or lower decode.processes."
            )
        return [answer for answer in answers if answer is not None]

    def _open(self, items: Sequence[Item]) -> list[Answer | None]:
        """None: the pool broke before it was known who did it."""
        if not self._pool.working:  # a child that was killed while all were idle breaks it
            self._give_up()
        try:
            futures = [self._start(kind, content) for kind, content in items]
        except RuntimeError:
            return [None] * len(items)
        answers, patience = [], GRACE_SECONDS + sum(self._seconds(kind) for kind, _ in items)
        for future, (kind, _) in zip(futures, items, strict=True):
            answers.append(answer := self._answer(kind, future, patience))
            # of a broken pool, what is not answered yet never will be
            patience = patience if answer else 0
        if not patience:
            self._give_up()
        return answers

    def _start(self, kind: str, content: Content) -> ProcessFuture[Answer]:
        opener, seconds = self._openers[kind], self._seconds(kind)
        return self._pool.start(opened, opener, content, self._settings, seconds=seconds)

    def _seconds(self, kind: str) -> float:
        """How long a file of this kind may take."""
        return float(getattr(self._settings, _limit_of(kind)))

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

    def _answer(self, kind: str, future: ProcessFuture[Answer], seconds: float) -> Answer | None:
        try:
            return future.result(seconds)
        except TimeoutError:
            if not future.done():  # a child died between taking the item and saying so
                return None
            return MediaTooLarge(
                f"The {kind} took longer than decode.{_limit_of(kind)} ({self._seconds(kind):g} s)"
                " to open."
            )
        except ProcessExpired as death:
            return KilledTheWorker(
                f"Two decoding processes died on the file (exit code {death.exitcode})."
            )
        except (BrokenProcessPool, CancelledError):
            return None


def _limit_of(kind: str) -> str:
    """The setting of how long a file of this kind may take."""
    return "seconds" if kind == "picture" else f"{kind}_seconds"


def cannot_be_opened(kind: str) -> UnsupportedMedia:
    """The error of an asset of a kind that nothing opens."""
    return UnsupportedMedia(f"A {kind} cannot be opened yet: upload pictures of the product.")


def opened(opener: Opener, content: Content, settings: Decode) -> Answer:
    """In the child: an error goes back as a new one, for the child keeps its last answer while it
    opens the next file, and an error that was raised keeps the frames that raised it and all the
    memory in them."""
    try:
        return opener(content, settings)
    except BadRecord as error:
        return type(error)(str(error))
    except MemoryError:
        return MediaTooLarge(
            f"The file needs more than decode.memory_mb ({settings.memory_mb} MB) to open."
        )
