"""``python -m tests.bench [NAME]``: prints a table of ratios and writes build/bench.json."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console
from rich.table import Table

from mmsearch_core.demo.catalog import pictures_of, sample_products
from mmsearch_core.records.ids import BatchId
from mmsearch_core.wiring import Runtime
from tasks import compare, plan
from tests.line import do, fake_runtime, feed

ROUNDS = 5
PICTURES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``ours`` and ``reference`` are medians in ``unit``; above 1 the ratio says that ours does more."""

    name: str
    ours: float
    reference: float
    ratio: float
    unit: str
    work: str
    peak_memory_mb: float


def embed_image_vs_open_clip() -> Row:
    """The stage, with store, memo, lease, Parquet and report, against a bare loop over the same JPEG bytes."""
    runtime, shard = _decoded_shard()
    pictures = [picture for product in sample_products(PICTURES, 7) for picture in pictures_of(product, 7)]
    clip = Runtime(runtime.settings).clip
    batch = runtime.settings.models.batch

    def ours() -> None:
        runtime.memo = fake_runtime().memo  # type: ignore[misc]
        runtime.work.delete(f"{shard}/reports/embed_image.json")
        do(runtime, shard, "embed_image")

    def reference() -> None:
        for start in range(0, len(pictures), batch):
            clip.embed(pictures[start : start + batch])

    clip.embed(pictures[:1])
    vars(runtime)["clip"] = clip
    return _compare("embed_image_vs_open_clip", ours, reference, len(pictures), f"{len(pictures)} pictures of 320 px")


BENCHMARKS: dict[str, Callable[[], Row]] = {"embed_image_vs_open_clip": embed_image_vs_open_clip}


def main() -> None:
    """Run one benchmark or all."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"There is no benchmark {unknown[0]}: choose among {', '.join(BENCHMARKS)}.")
    rows = [BENCHMARKS[name]() for name in names]
    table = Table("name", "ours", "reference", "ratio", "unit", "work", "peak memory")
    for row in rows:
        memory = f"{row.peak_memory_mb:.0f} MB"
        table.add_row(
            row.name, f"{row.ours:.1f}", f"{row.reference:.1f}", f"{row.ratio:.2f}", row.unit, row.work, memory
        )
    Console().print(table)
    out = Path("build/bench.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def _compare(name: str, ours: Callable[[], None], reference: Callable[[], None], items: int, work: str) -> Row:
    seconds: dict[str, list[float]] = {"ours": [], "reference": []}
    for _ in range(ROUNDS):  # in turns, so that a busy minute of the machine hits both
        for key, run in (("ours", ours), ("reference", reference)):
            started = time.perf_counter()
            run()
            seconds[key].append(time.perf_counter() - started)
    rates = {key: items / median(times) for key, times in seconds.items()}
    return Row(
        name=name,
        ours=round(rates["ours"], 2),
        reference=round(rates["reference"], 2),
        ratio=round(rates["ours"] / rates["reference"], 3),
        unit="pictures/s",
        work=work,
        peak_memory_mb=round(psutil.Process().memory_info().rss / 1e6, 1),
    )


def _decoded_shard() -> tuple[Runtime, str]:
    runtime = fake_runtime()
    vars(runtime).pop("clip")
    products = sample_products(PICTURES, 7)
    for product in products:
        for number, picture in enumerate(pictures_of(product, 7)):
            runtime.catalog.put(f"pictures/{product.product_id}/{number}.jpg", picture)
    feed(runtime, {product.product_id: product.product_id for product in products})
    (batch,) = compare.work(runtime, "bench")["batches"]
    (shard,) = plan.work(runtime, BatchId(batch))["shards"]
    do(runtime, shard, "decode")
    return runtime, shard


if __name__ == "__main__":
    main()
