"""Who works on a stage of a shard: one object, held by conditional writes, that also remembers who died on what."""

import socket
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import Busy, PreconditionFailed
from mmsearch_core.ports import ObjectStore

DEATHS_BEFORE_CAUTION = 2
AHEAD = 2  # leases; one that ends later was taken by a clock that was ahead, and would hold for as long as that was


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseNote:
    """What the lease object says. ``expires`` is in seconds since the epoch."""

    holder: str
    expires: float
    deaths: int = 0
    in_flight: str = ""  # in caution: the record being worked on
    quarantined: tuple[str, ...] = ()


class ShardLease:
    """A context manager. Entering waits until a dead holder's lease has run out; leaving well gives the lease back.

    A process that dies leaves its note behind, which is how the next one knows. After two deaths records are done one
    by one, each named in the note before it is touched; whoever is named when a process dies again is quarantined.
    """

    def __init__(self, store: ObjectStore, key: str, *, seconds: float) -> None:
        self._store, self._key, self._seconds = store, key, seconds
        self._holder = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._lost = False
        self._etag = ""
        self.note = LeaseNote(holder=self._holder, expires=0)

    def __enter__(self) -> "ShardLease":
        deadline = time.monotonic() + 1.5 * self._seconds
        while not self._take():
            if time.monotonic() > deadline:
                raise Busy(f"Another process works on {self._key.removesuffix('.json')}: wait until it is done.")
            time.sleep(min(1.0, self._seconds / 10))
        threading.Thread(target=self._renew, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        with self._lock:
            if not self._lost:
                free = to_json(LeaseNote(holder="", expires=0))
                with suppress(PreconditionFailed):  # taken over after it ran out: no longer ours to give back
                    self._store.put(self._key, free, if_match=self._etag)

    @property
    def cautious(self) -> bool:
        """Whether records have to be done one by one."""
        return self.note.deaths >= DEATHS_BEFORE_CAUTION

    def check(self) -> None:
        """Busy if the lease is no longer ours: nothing may be written in its name."""
        self._write(self.note)

    def about_to_touch(self, record_id: str) -> None:
        """Name the record that may kill this process."""
        self._write(replace(self.note, in_flight=record_id))

    def _take(self) -> bool:
        there = self._store.head(self._key)
        try:
            if there is None:
                self._put(self.note, if_none_match=True)
                return True
            data = self._store.get(self._key, if_match=there.etag)
            left = from_json(data, LeaseNote) if data else self.note
            if not left.holder:  # given back
                self._put(self.note, if_match=there.etag)
                return True
            if 0 < left.expires - time.time() <= AHEAD * self._seconds:
                return False
            dead = {left.in_flight} - {""} if left.deaths >= DEATHS_BEFORE_CAUTION else set()
            quarantined = tuple(sorted({*left.quarantined, *dead}))
            note = replace(self.note, deaths=left.deaths + 1, quarantined=quarantined)
            self._put(note, if_match=there.etag)
        except PreconditionFailed:
            return False
        return True

    def _put(self, note: LeaseNote, *, if_none_match: bool = False, if_match: str | None = None) -> None:
        note = replace(note, expires=time.time() + self._seconds)
        data = to_json(note)
        try:
            self._etag = self._store.put(self._key, data, if_none_match=if_none_match, if_match=if_match)
        except PreconditionFailed:
            there = self._store.head(self._key)
            if there is None or self._store.get(self._key, if_match=there.etag) != data:
                raise
            self._etag = there.etag  # it was written, only the answer was lost and the client tried again
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
            except Exception:  # noqa: S112 - a store that is away for a moment shows itself in the work, not here
                continue
