"""``python -m tests.bench [NAME]``: prints a table of ratios and writes ``build/bench.json``.

All benchmarks run one after the other, each in a process of its own, so that its peak of memory is its own.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.embed_image import embed_image_vs_open_clip, memory_flat
from tests.bench.index_line import index_line, plan_unchanged
from tests.bench.refresh import refresh_1m
from tests.bench.row import Row

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    each.__name__: each for each in (embed_image_vs_open_clip, memory_flat, index_line, plan_unchanged, refresh_1m)
}
OUT = Path("build/bench.json")


def main() -> None:
    """Run one benchmark or all."""
    name = sys.argv[1] if sys.argv[1:] else ""
    if name and name not in BENCHMARKS:
        sys.exit(f"There is no benchmark {name}: choose among {', '.join(BENCHMARKS)}.")
    if name:
        show([asdict(row) for row in BENCHMARKS[name]()])
        return
    rows = []
    for each in BENCHMARKS:
        subprocess.run([sys.executable, "-m", "tests.bench", each], check=True)
        rows += json.loads(OUT.read_text())
    show(rows)


def show(rows: list[dict[str, object]]) -> None:
    """The table, and the file."""
    table = Table("name", "ours", "reference", "ratio", "unit", "work", "peak memory")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=180).print(table)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
