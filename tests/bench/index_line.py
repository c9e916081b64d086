"""The index line on the real parts, stage by stage."""

import tempfile
import time
from collections import defaultdict
from pathlib import Path

from mmsearch_core.prompts import load
from mmsearch_core.records.question import Question
from mmsearch_core.shards.shard import Shard
from mmsearch_core.wiring.batches import Runtime
from tasks import close, compare, plan
from tests.bench.parts import SIDE, shop
from tests.bench.row import Row, peak_memory_mb
from tests.line import INDEX, do
from tests.servers import running

PICTURES = 100


def index_line() -> list[Row]:
    """Pictures a second from bucket to index with the shipped models, and each stage's share of the
    seconds."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        runtime = shop(settings, PICTURES)
        loading = load_models(runtime)
        spent = timed(runtime)
    total = sum(spent.values())
    return [
        Row(
            name=f"index_line {stage}",
            ours=round(PICTURES / seconds, 1),
            reference=round(PICTURES / total, 1),
            ratio=round(seconds / total, 3),
            unit="pictures/s; reference: all stages; ratio: share of the seconds",
            work=(
                f"{PICTURES} pictures of {SIDE} px, shipped models loaded before in {loading:.0f} s"
            ),
            peak_memory_mb=peak_memory_mb(),
        )
        for stage, seconds in {**spent, "all": total}.items()
    ]


def load_models(runtime: Runtime) -> float:
    """Seconds until each model has answered once: a task pays for one of them at its start."""
    began = time.perf_counter()
    runtime.clip.embed(["ready"])
    runtime.sbert.embed(["ready"])
    prompt = load("standardize")
    question = Question(system=prompt.system, text=prompt.text(query="ready"), schema=prompt.answer)
    runtime.vlm.answer([question])
    return time.perf_counter() - began


def timed(runtime: Runtime) -> dict[str, float]:
    """Seconds by stage."""
    spent: dict[str, float] = defaultdict(float)

    def clock(stage: str, began: float) -> float:
        now = time.perf_counter()
        spent[stage] += now - began
        return now

    began = time.perf_counter()
    batches = compare.work(runtime, "bench").batches
    began = clock("compare", began)
    for batch in batches:
        shards = plan.work(runtime, batch).shards
        began = clock("plan", began)
        for shard in shards:
            for stage in INDEX:
                do(runtime, shard, stage)
                began = clock(stage, began)
            assert Shard(runtime.work, shard).failures("decode") == []
        close.work(runtime, batch)
        began = clock("close", began)
    return dict(spent)
