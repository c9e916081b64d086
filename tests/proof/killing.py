"""Deaths inside one process: parts that die at their n-th call, and the world as it was before, to
die in once more."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from mmsearch_core.adapters.ledger.schema import tables
from mmsearch_core.adapters.object_memo import ObjectMemo
from mmsearch_core.testing.memory_index import MemoryIndex
from mmsearch_core.testing.memory_ledger import MemoryLedger
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tests.line import fake_runtime

PARTS = ("catalog", "work", "ledger", "index")
MOMENTS = {"changed_at", "planned_at", "observed_at", "created_at", "opened_at", "made_at"}
ATTEMPT = {
    "timing",
    "seconds",
    "tally",
    "model_calls",
    "calls_made",
    "calls_saved",
    "rows_written",
    "rows_removed",
}


class Killed(BaseException):
    """What no handler of ours catches."""


@dataclass
class Life:
    """Ends at call ``ends_at``, before it takes effect or ``after`` it did; a dead process makes no
    call. With a ``sleep`` it does not end there: that happens while it sleeps, and it goes on."""

    ends_at: int = 0
    after: bool = False
    calls: int = 0
    dead: bool = False
    between: Callable[[], None] | None = None
    sleep: Callable[[], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with self.lock:
            self.calls += not self.dead
            last = self.calls == self.ends_at and not self.dead
            self.dead |= last and not self.sleep
            if self.dead and not (last and self.after):
                raise Killed
        # the ledger in memory is one thread's
        asleep = last and threading.current_thread() is threading.main_thread()
        if asleep and self.sleep and not self.after:
            self.sleep()
        answer = function(*args, **options)
        if asleep and self.sleep and self.after:
            self.sleep()
        if self.dead:
            raise Killed
        if self.between and threading.current_thread() is threading.main_thread():
            self.between()
        return answer


class Mortal:
    """A part whose calls are numbered by a life."""

    def __init__(self, part: Any, life: Life) -> None:
        self._part, self._life = part, life

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        return (
            (lambda *args, **options: self._life.call(value, *args, **options))
            if callable(value)
            else value
        )


class World:
    """Everything that outlives a process: both buckets, the ledger, the index."""

    def __init__(self, **knobs: Any) -> None:
        self.knobs = knobs
        self.parts: dict[str, Any] = {
            "catalog": MemoryStore("catalog"),
            "work": MemoryStore("mmsearch"),
            "ledger": MemoryLedger(),
            "index": MemoryIndex(),
        }

    def process(self, life: Life | None = None) -> Runtime:
        """A process that begins now, knowing nothing."""
        parts: Any = {}
        for name, part in self.parts.items():
            parts[name] = Mortal(part, life) if life else part
        memo = ObjectMemo(parts["work"])
        return fake_runtime(**self.knobs).having(**parts, query_log=parts["catalog"], memo=memo)

    def save(self) -> Callable[[], None]:
        """Remember the world; the answer brings it back."""
        stores = {name: dict(self.parts[name]._objects) for name in ("catalog", "work")}
        index = {
            name: {
                key: dict(value) if isinstance(value, dict) else value
                for key, value in held.items()
            }
            for name, held in vars(self.parts["index"]).items()
            if isinstance(held, dict)
        }
        ledger = self._sqlite().serialize()

        def bring_back() -> None:
            for name, objects in stores.items():
                self.parts[name]._objects = dict(objects)
            copy = {
                name: {k: dict(v) if isinstance(v, dict) else v for k, v in it.items()}
                for name, it in index.items()
            }
            for name, held in copy.items():
                setattr(self.parts["index"], name, held)
            self._sqlite().deserialize(ledger)

        return bring_back

    def let_leases_run_out(self) -> None:
        """Time passes."""
        work = self.parts["work"]
        for found in list(work.list("runs/")):
            if "/leases/" in found.key:
                note = json.loads(work.get(found.key))
                work.put(found.key, json.dumps({**note, "expires": 0}).encode())
        with self.parts["ledger"]._database.writing() as connection:
            connection.execute(text("UPDATE leases SET expires = 0"))

    def facts(self) -> dict[str, Any]:
        """All of it, but for moments and for what an attempt says of itself."""
        facts: dict[str, Any] = {}
        for found in self.parts["work"].list():
            data = self.parts["work"].get(found.key)
            if "/leases/" not in found.key and not found.key.endswith(
                ".html"
            ):  # which shows the report and the clock
                facts[found.key] = (
                    plain(json.loads(data)) if found.key.endswith((".json", "CURRENT")) else data
                )
        with self.parts["ledger"]._database.reading() as connection:
            for table in tables.sorted_tables:
                rows = [plain(dict(row)) for row in connection.execute(table.select()).mappings()]
                if table.name != "leases":
                    facts[table.name] = sorted(map(repr, rows))
        index = self.parts["index"]
        facts["rows"] = {
            name: {key: (row.build, row.text) for key, row in rows.items()}
            for name, rows in index._rows.items()
        }
        facts["aliases"] = dict(index._aliases)
        return facts

    def _sqlite(self) -> Any:
        with self.parts["ledger"]._database._engine.connect() as connection:
            return connection.connection.driver_connection


def plain(value: Any) -> Any:
    """Without moments and attempts; how many commits it took, or how many tries of the feed, is
    such, too."""
    if isinstance(value, dict):
        left_out = MOMENTS | ATTEMPT | {"commit_number", "token"}
        return {name: plain(inner) for name, inner in value.items() if name not in left_out}
    return [plain(inner) for inner in value] if isinstance(value, list) else value
