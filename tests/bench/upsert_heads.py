"""How fast pictures get into the index where the store answers slowly."""

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.wiring.batches import Runtime
from tasks import compare, plan
from tests.bench.row import Row, peak_memory_mb, spent
from tests.line import INDEX, do, fake_runtime, feed, picture

PICTURES = 2_000
SECONDS_A_HEAD = 0.02


def upsert_heads() -> list[Row]:
    """The stage upsert on a store that takes 20 ms for a HEAD, against nothing but the HEADs one by
    one."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = fake_runtime(shards={"size": PICTURES})
        runtime = runtime.having(ledger=SqlLedger(f"sqlite:///{Path(folder) / 'ledger.db'}"))
        feed(runtime, {"p1": "Lumen"})
        data = picture("red")
        for number in range(PICTURES):
            runtime.catalog.put(f"pictures/p1/{number}.jpg", data)
        (batch,) = compare.work(runtime, "bench").batches
        shards = plan.work(runtime, batch).shards
        for shard in shards:
            do(runtime, shard, *INDEX[:-1])
        slow: Any = SlowHeads(runtime.catalog)
        runtime = runtime.having(catalog=slow)
        took = spent(lambda: list(map(partial(_upsert, runtime), shards)))
        one_by_one = PICTURES * SECONDS_A_HEAD
    return [
        Row(
            name="upsert_heads",
            ours=round(PICTURES / took.wall, 1),
            reference=round(PICTURES / one_by_one, 1),
            ratio=round(one_by_one / took.wall, 2),
            unit="pictures/s",
            work=(
                f"{PICTURES} pictures, 20 ms per HEAD: upsert, against HEADs one by one; target 500"
            ),
            peak_memory_mb=peak_memory_mb(),
        )
    ]


def _upsert(runtime: Runtime, shard: str) -> None:
    do(runtime, shard, "upsert")


class SlowHeads:
    """A store whose HEADs take their time."""

    def __init__(self, store: Any) -> None:
        self._store, self.bucket = store, store.bucket

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def head(self, key: str) -> ObjectRef | None:
        time.sleep(SECONDS_A_HEAD)
        found: ObjectRef | None = self._store.head(key)
        return found
