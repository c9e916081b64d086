"""Taking a feed of three million products into a ledger in SQLite, for the first time and on a
night after, each in a process of its own whose time and peak memory are measured."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.catalog.take_feed import take_feed
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.settings import Catalog
from mmsearch_core.testing.memory_store import MemoryStore
from tests.bench.row import Row, peak_memory_mb

PRODUCTS = 3_000_000
DEARER, RETITLED = 10, 100  # of so many products one, on the night after
PARTS = ("first", "night", "bare")


def feed_3m(products: int = PRODUCTS) -> list[Row]:
    """Products a second, beside a bare reading of the file's JSON."""
    with tempfile.TemporaryDirectory() as folder:
        measured = {}
        for part in PARTS:
            _write(Path(folder) / "products.jsonl", products, later=part != "first")
            measured[part] = _measured(part, folder, products)
    bare = measured["bare"]["seconds"]
    return [
        Row(
            name=f"feed_3m {part}",
            ours=round(products / measured[part]["seconds"]),
            reference=round(products / bare),
            ratio=round(bare / measured[part]["seconds"], 3),
            unit="products/s; reference: json.loads per line",
            work=(
                f"{products} products in {measured[part]['seconds']} s,"
                f" {measured[part]['written']} of them written"
            ),
            peak_memory_mb=measured[part]["peak_memory_mb"],
        )
        for part in ("first", "night")
    ]


class OneFile(MemoryStore):
    """A bucket whose one object lies on the disk, so that this process does not hold it."""

    def __init__(self, path: Path) -> None:
        super().__init__("catalog")
        self._path = path

    def head(self, key: str) -> ObjectRef | None:
        there = self._path.stat()
        modified = datetime.fromtimestamp(there.st_mtime, UTC)
        etag = str(there.st_mtime_ns)
        return ObjectRef(
            bucket="catalog", key=key, etag=etag, size=there.st_size, last_modified=modified
        )

    def download(self, found: ObjectRef, path: Path) -> None:
        shutil.copy(self._path, path)


def _write(path: Path, products: int, *, later: bool) -> None:
    with path.open("w") as feed:
        for number in range(products):
            name = "Lumen Deluxe" if later and number % RETITLED == 0 else "Lumen"
            line = {
                "product_id": f"p{number:08}",
                "title": {"en": f"{name} {number}", "zh": f"流明 {number}"},
                "url": f"https://shop.example/products/{number}",
                "price": 8.5 if later and number % DEARER == 0 else 9.5,
                "currency": "EUR",
                "in_stock": True,
                "brand": "Lumen",
            }
            feed.write(json.dumps(line, ensure_ascii=False) + "\n")


def _measured(part: str, folder: str, products: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.feed", part, folder, str(products)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _take(folder: Path, products: int, *, expected: int) -> None:
    ledger = SqlLedger(f"sqlite:///{folder / 'ledger.db'}")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as spool:
        taken = take_feed(OneFile(folder / "products.jsonl"), ledger, Catalog(), folder=Path(spool))
        ledger.end_feed(taken.state)
        touched = sum(len(batch) for batch in taken.touching())
    assert taken.counts["products_changed"] == expected, taken.counts
    assert touched == (products if expected == products else products // RETITLED), touched
    _say(started, expected)


def _bare(folder: Path) -> None:
    """What nobody can do without."""
    started = time.perf_counter()
    with (folder / "products.jsonl").open("rb") as file:
        count = sum("product_id" in json.loads(line) for line in file)
    _say(started, count)


def _say(started: float, written: int) -> None:
    seconds = round(time.perf_counter() - started, 2)
    print(json.dumps({"seconds": seconds, "peak_memory_mb": peak_memory_mb(), "written": written}))


if __name__ == "__main__":
    part, folder, products = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if part == "bare":
        _bare(folder)
    else:
        _take(folder, products, expected=products if part == "first" else products // DEARER)
