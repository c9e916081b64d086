"""Pictures opened in child processes, which may hang, swell or die without taking the task with
them."""

import atexit
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from mmsearch_core.adapters.pillow_picture import normalise
from mmsearch_core.confined import confine
from mmsearch_core.errors import BadRecord, KilledTheWorker, MediaTooLarge, TryLater
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.segment import Decoded, Whole
from mmsearch_core.settings import Decode

PLUGINS = tuple(
    f"{name}ImagePlugin" for name in ("Jpeg", "Mpo", "Png", "WebP", "Avif", "Gif", "Bmp", "Tiff")
)
LOADED = (
    normalise.__module__,
    *(f"PIL.{name}" for name in ("Image", "ImageCms", "ImageOps", *PLUGINS)),
    "pi_heif",
)
MOST_PROCESSES = 8
GRACE_SECONDS = 60  # for processes to start and to be ended

Opener = Callable[[Kind, bytes, Decode], bytes]
Item = tuple[Kind, bytes]
Answer = list[Decoded] | BadRecord


class PillowDecoder:
    """The children are forked from a process that has Pillow loaded, stay warm between batches, and
    are replaced when they die and after 500 pictures, so that a leak stays small."""

    def __init__(self, settings: Decode, opener: Opener = normalise) -> None:
        self._settings = settings
        self._opener = opener

    def decode(self, items: Sequence[Item]) -> list[Answer]:
        """One normalised picture an item, in order. A child may die for reasons of its host, so a
        picture is blamed only when a second one dies on it alone."""
        answers = self._open(items) if items else []
        for place, answer in enumerate(answers):
            if answer is None or isinstance(answer, KilledTheWorker):
                (answers[place],) = self._open([items[place]])
        if None in answers:
            raise TryLater(
                "The processes that open pictures die at once: free memory, or lower"
                " decode.processes."
            )
        return [answer for answer in answers if answer is not None]

    def _open(self, items: Sequence[Item]) -> list[Answer | None]:
        """None: the pool broke before it was known who did it."""
        if not self._pool.active:  # a child that was killed while all were idle breaks it
            self._give_up()
        seconds = self._settings.seconds
        try:
            futures = [
                self._pool.schedule(
                    opened, args=[self._opener, kind, data, self._settings], timeout=seconds
                )
                for kind, data in items
            ]
        except RuntimeError:
            return [None] * len(items)
        answers, patience = [], seconds * len(items) + GRACE_SECONDS
        for future in futures:
            answers.append(answer := self._answer(future, patience))
            # of a broken pool, what is not answered yet never will be
            patience = patience if answer else 0
        if not patience:
            self._give_up()
        return answers

    @cached_property
    def _pool(self) -> ProcessPool:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))
        workers = self._settings.processes or min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
        memory = self._settings.memory_mb * 1024**2
        pool = ProcessPool(
            max_workers=workers,
            max_tasks=500,
            initializer=confine,
            initargs=[memory],
            context=context,
        )
        atexit.register(_end, pool)  # else a child that is just being started complains in the log
        return pool

    def _give_up(self) -> None:
        _end(self._pool)
        del self._pool

    def _answer(self, future: ProcessFuture[bytes | BadRecord], seconds: float) -> Answer | None:
        try:
            jpeg = future.result(seconds)
            return jpeg if isinstance(jpeg, BadRecord) else [Decoded(where=Whole(), jpeg=jpeg)]
        except TimeoutError:
            if not future.done():  # a child died between taking the picture and saying so
                return None
            return MediaTooLarge(
                f"The picture took longer than decode.seconds ({self._settings.seconds:g} s) to"
                " open."
            )
        except ProcessExpired as death:
            return KilledTheWorker(
                f"Two decoding processes died on the picture (exit code {death.exitcode})."
            )
        except (BrokenProcessPool, CancelledError):
            return None


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def opened(opener: Opener, kind: Kind, data: bytes, settings: Decode) -> bytes | BadRecord:
    """In the child: an error goes back as a new one, for the child keeps its last answer while it
    opens the next picture, and an error that was raised keeps the frames that raised it and all the
    memory in them."""
    try:
        return opener(kind, data, settings)
    except BadRecord as error:
        return type(error)(str(error))
    except MemoryError:
        return MediaTooLarge(
            f"The picture needs more than decode.memory_mb ({settings.memory_mb} MB) to open."
        )
