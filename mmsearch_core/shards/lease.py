"""Who works on a stage of a shard: one object, held by conditional writes, that also remembers who
died on what.

What it remembers lasts until the stage is done well: an attempt that was stopped by something else
(the store was away for a moment, another stage is missing) knows as much about who died as the
attempts before it.
"""

import socket
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import Busy, EngineBroke, PreconditionFailed
from mmsearch_core.ports.stores import ObjectStore

DEATHS_BEFORE_CAUTION = 2
# leases; one that ends later was taken by a clock that was ahead, and would hold for as long as
# that was
AHEAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseNote:
    """What the lease object says. ``expires`` is in seconds since the epoch; without a ``holder``
    it was given back."""

    holder: str
    expires: float
    about: str = ""  # the work that they died on; of other inputs or another recipe it says nothing
    deaths: int = 0
    in_flight: str = ""  # in caution: the record being worked on
    quarantined: tuple[str, ...] = ()

    @property
    def cautious(self) -> bool:
        """Whether records have to be done one by one."""
        return self.deaths >= DEATHS_BEFORE_CAUTION

    def after_death(self) -> "LeaseNote":
        """The same after its holder died; in caution the record that it worked on is to blame."""
        culprits = {self.in_flight} - {""} if self.cautious else set()
        quarantined = tuple(sorted({*self.quarantined, *culprits}))
        return replace(self, deaths=self.deaths + 1, in_flight="", quarantined=quarantined)


class ShardLease:
    """A context manager. Entering waits until a dead holder's lease has run out; leaving gives the
    lease back.

    A process that dies leaves its note behind, which is how the next one knows. After two deaths
    records are done one by one, each named in the note before it is touched; whoever is named when
    a process dies again is quarantined. As a death counts too an engine that broke in the process,
    and a process that was told to end (SIGTERM), since whoever hangs on a record ends so. ``about``
    names the work: deaths on other work do not count.
    """

    def __init__(self, store: ObjectStore, key: str, *, seconds: float, about: str = "") -> None:
        self._store, self._key, self._seconds = store, key, seconds
        self._holder = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._lost = False
        self._etag = ""
        self.note = LeaseNote(holder=self._holder, expires=0, about=about)

    def __enter__(self) -> "ShardLease":
        deadline = time.monotonic() + 1.5 * self._seconds
        while not self._take():
            if time.monotonic() > deadline:
                raise Busy(
                    f"Another process works on {self._key.removesuffix('.json')}: wait until it is"
                    " done."
                )
            time.sleep(min(1.0, self._seconds / 10))
        threading.Thread(target=self._renew, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._left.set()
        with self._lock:
            if self._lost:
                return
            with suppress(
                PreconditionFailed
            ):  # taken over after it ran out: no longer ours to give back
                self._store.put(self._key, to_json(self._left_behind(error)), if_match=self._etag)

    @property
    def cautious(self) -> bool:
        """Whether records have to be done one by one."""
        return self.note.cautious

    def check(self) -> None:
        """Busy if the lease is no longer ours: nothing may be written in its name."""
        self._write(self.note)

    def about_to_touch(self, record_id: str) -> None:
        """Name the record that may kill this process; "" where no record is to blame."""
        self._write(replace(self.note, in_flight=record_id))

    def _left_behind(self, error: BaseException | None) -> LeaseNote:
        """The note of a lease that is given back: nothing is to be remembered once the work is
        done."""
        if error is None:
            return LeaseNote(holder="", expires=0)
        died = isinstance(error, EngineBroke | SystemExit)
        note = self.note.after_death() if died else replace(self.note, in_flight="")
        return replace(note, holder="", expires=0)

    def _take(self) -> bool:
        there = self._store.head(self._key)
        try:
            if there is None:
                self._put(self.note, if_none_match=True)
                return True
            data = self._store.get(self._key, if_match=there.etag)
            left = from_json(data, LeaseNote) if data else self.note
            if left.holder and 0 < left.expires - time.time() <= AHEAD * self._seconds:
                return False
            known = left.after_death() if left.holder else left
            if known.about != self.note.about:
                known = self.note
            note = replace(self.note, deaths=known.deaths, quarantined=known.quarantined)
            self._put(note, if_match=there.etag)
        except PreconditionFailed:
            return False
        return True

    def _put(
        self, note: LeaseNote, *, if_none_match: bool = False, if_match: str | None = None
    ) -> None:
        note = replace(note, expires=time.time() + self._seconds)
        data = to_json(note)
        try:
            self._etag = self._store.put(
                self._key, data, if_none_match=if_none_match, if_match=if_match
            )
        except PreconditionFailed:
            there = self._store.head(self._key)
            if there is None or self._store.get(self._key, if_match=there.etag) != data:
                raise
            # it was written, only the answer was lost and the client tried again
            self._etag = there.etag
        self.note = note

    def _write(self, note: LeaseNote) -> None:
        with self._lock:
            try:
                if not self._lost:
                    self._put(note, if_match=self._etag)
            except PreconditionFailed:
                self._lost = True
        if self._lost:
            raise Busy(f"The lease {self._key} was taken over by another process: this one stops.")

    def _renew(self) -> None:
        while not self._left.wait(self._seconds / 3):
            try:
                self._write(self.note)
            except Busy:
                return
            except Exception:  # noqa: S112 it shows itself in the work
                continue
