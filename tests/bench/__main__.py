"""``python -m tests.bench [NAME]``: prints a table of ratios and writes ``build/bench.json``.

All benchmarks run one after the other, each in a process of its own, so that its peak of memory is
its own.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.audit import audit_1m
from tests.bench.embed_image import embed_image_vs_open_clip, memory_flat
from tests.bench.feed import feed_3m
from tests.bench.index_line import index_line
from tests.bench.media import media_memory_flat, pdf_pages, video_frames
from tests.bench.mine import mine_10m
from tests.bench.publish import publish_10k
from tests.bench.refresh import refresh_1m
from tests.bench.row import Row
from tests.bench.unchanged import plan_unchanged
from tests.bench.upsert_heads import upsert_heads

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    each.__name__: each
    for each in (
        embed_image_vs_open_clip,
        memory_flat,
        index_line,
        video_frames,
        pdf_pages,
        media_memory_flat,
        plan_unchanged,
        refresh_1m,
        audit_1m,
        upsert_heads,
        mine_10m,
        publish_10k,
        feed_3m,
    )
}
OUT = Path("build/bench.json")


def main() -> None:
    """Run one benchmark or all."""
    name = sys.argv[1] if sys.argv[1:] else ""
    if name and name not in BENCHMARKS:
        sys.exit(f"There is no benchmark {name}: choose among {', '.join(BENCHMARKS)}.")
    if name:
        show([asdict(row) for row in BENCHMARKS[name]()])
    else:
        show([row for each in BENCHMARKS for row in in_own_process(each)])


def in_own_process(name: str) -> list[dict[str, object]]:
    """The rows of one benchmark, or one that says why there are none."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", name], stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode == 0:
        rows: list[dict[str, object]] = json.loads(OUT.read_text())
        return rows
    why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    missing = Row(
        name=name,
        ours=None,
        reference=None,
        ratio=None,
        unit="",
        work=f"not measured: {why}",
        peak_memory_mb=None,
    )
    return [asdict(missing)]


def show(rows: list[dict[str, object]]) -> None:
    """The table, and the file."""
    table = Table("name", "ours", "reference", "ratio", "unit", "work", "peak memory, MB")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console(width=180).print(table)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
