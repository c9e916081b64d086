"""The index line on the real parts, and what an unchanged catalog costs."""

import tempfile
import time
from collections import defaultdict
from pathlib import Path

from mmsearch_core.shards import Shard
from mmsearch_core.wiring import Runtime
from tasks import close, compare, plan
from tests.bench.parts import shop
from tests.bench.row import Row, peak_memory_mb
from tests.bench.row import compare as side_by_side
from tests.line import INDEX, do
from tests.servers import running

PICTURES = 100


def index_line() -> list[Row]:
    """Pictures a second from bucket to index with the shipped models, and each stage's share of the seconds."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        runtime = shop(settings, PICTURES)
        spent = timed(runtime)
    total = sum(spent.values())
    return [
        Row(
            name=f"index_line {stage}",
            ours=round(PICTURES / seconds, 1),
            reference=round(PICTURES / total, 1),
            ratio=round(seconds / total, 3),
            unit="pictures/s; ratio: share of the seconds",
            work=f"{PICTURES} pictures of 512 px, shipped models, SeaweedFS, Milvus Lite; models loaded within",
            peak_memory_mb=peak_memory_mb(),
        )
        for stage, seconds in {**spent, "all": total}.items()
    ]


def timed(runtime: Runtime) -> dict[str, float]:
    """Seconds by stage."""
    spent: dict[str, float] = defaultdict(float)

    def clock(stage: str, began: float) -> float:
        now = time.perf_counter()
        spent[stage] += now - began
        return now

    began = time.perf_counter()
    batches = compare.work(runtime, "bench")["batches"]
    began = clock("compare", began)
    for batch in batches:
        shards = plan.work(runtime, batch)["shards"]
        began = clock("plan", began)
        for shard in shards:
            for stage in INDEX:
                do(runtime, shard, stage)
                began = clock(stage, began)
            assert Shard(runtime.work, shard).failures("decode") == []
        close.work(runtime, batch)
        began = clock("close", began)
    return dict(spent)


def plan_unchanged() -> list[Row]:
    """What a night costs in which nothing changed: compare against the bare listing of the same keys."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        runtime = shop(settings, PICTURES)
        timed(runtime)
        for number in range(20):  # more keys, of a product that nobody knows: they wait, which costs the same
            for place in range(PICTURES):
                runtime.catalog.put(f"pictures/other{number}/{place}.jpg", b"x")
        for batch in compare.work(runtime, "filling")["batches"]:
            plan.work(runtime, batch)
        keys = len(list(runtime.catalog.list("pictures/")))
        runs = iter(range(1000))

        def ours() -> None:
            assert compare.work(runtime, f"night {next(runs)}")["batches"] == []

        def reference() -> None:
            assert len(list(runtime.catalog.list("pictures/"))) == keys

        work = f"{keys} keys, none changed: compare against the bare listing"
        return [side_by_side("plan_unchanged", ours, reference, items=keys, unit="keys/s", work=work)]
