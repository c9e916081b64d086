"""The nightly comparison at a million pictures: an inventory in Parquet against a ledger in SQLite,
in a process of its own whose time and peak memory are measured."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmsearch_core.adapters.ledger.rows import writing_row
from mmsearch_core.adapters.ledger.schema import assets
from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.records.asset import Asset, ObjectRef, Product, asset_id
from mmsearch_core.records.commit import Writing
from mmsearch_core.records.ids import Build, ProductId, TargetId, digest
from mmsearch_core.records.target import Target
from tests import inventory
from tests.bench.row import Row, peak_memory_mb
from tests.line import fake_runtime, sell

PICTURES, A_PRODUCT, FILES = 1_000_000, 5, 4
ADDED, CHANGED, REMOVED, RETITLED = 500, 400, 300, 20
T = TargetId("bench")
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


def refresh_1m(pictures: int = PICTURES) -> list[Row]:
    """Keys a second, beside a bare read of both sides and the bare join."""
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), pictures)
        ours, bare = (_measured(part, folder, pictures) for part in ("compare", "bare"))
    return [
        Row(
            name="refresh_1m",
            ours=round(pictures / ours["seconds"]),
            reference=round(pictures / bare["seconds"]),
            ratio=round(bare["seconds"] / ours["seconds"], 3),
            unit="keys/s",
            work=f"{pictures} keys in {ours['seconds']} s, {ours['cpu_seconds']} s of a core",
            peak_memory_mb=ours["peak_memory_mb"],
        )
    ]


def _measured(part: str, folder: str, pictures: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.refresh", part, folder, str(pictures)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _key(number: int) -> str:
    return f"pictures/p{number // A_PRODUCT:07}/{digest(str(number))[:12]}.jpg"


def _etag(number: int) -> str:
    return digest("etag", str(number))


def _product(number: int, name: str = "Lumen") -> Product:
    title = {"en": f"{name} {number}", "zh": f"流明 {number}"}
    return Product(
        product_id=ProductId(f"p{number:07}"), title=title, price=9.5, facts={"brand": "Lumen"}
    )


def _ledger(folder: Path) -> SqlLedger:
    return SqlLedger(f"sqlite:///{folder / 'ledger.db'}")


def _fill(folder: Path, pictures: int) -> None:
    """The ledger as it was left, the bucket and the feed as they are now."""
    ledger = _ledger(folder)
    ledger.add_target(
        Target(target_id=T, collection="c", collection_uuid="u", recipes={}, status="live")
    )
    products = pictures // A_PRODUCT
    sell(ledger, (_product(number) for number in range(products)))
    for start in range(0, pictures, 10_000):
        rows = [_live(number) for number in range(start, min(pictures, start + 10_000))]
        with ledger._database.writing() as connection:
            connection.execute(assets.insert(), rows)
    for file in range(FILES):
        entries = _entries(range(REMOVED + file, pictures + ADDED, FILES))
        (folder / f"{file}.parquet").write_bytes(inventory.parquet_file("catalog", entries))
    with (folder / "products.jsonl").open("w") as feed:
        for number in range(products + ADDED):
            product = _product(
                number, "Lumen Deluxe" if products - RETITLED <= number < products else "Lumen"
            )
            line = {
                "product_id": product.product_id,
                "title": dict(product.title),
                "price": 9.5,
                "brand": "Lumen",
            }
            feed.write(json.dumps(line) + "\n")


def _live(number: int) -> dict[str, Any]:
    key, build = _key(number), Build("0" * 32)
    source = ObjectRef(
        bucket="catalog", key=key, etag=_etag(number), size=1, last_modified=LONG_AGO
    )
    owner = _product(number // A_PRODUCT)
    asset = Asset(
        asset_id=asset_id("catalog", key),
        product_id=owner.product_id,
        kind="picture",
        source=source,
    )
    writing = Writing(
        asset=asset, build=build, product_text=owner.text_digest, observed_at=LONG_AGO
    )
    return {**writing_row(T, writing), "state": "live", "live_build": build}


def _entries(numbers: range) -> Iterator[inventory.Entry]:
    for number in numbers:
        changed = REMOVED <= number < REMOVED + CHANGED
        yield (_key(number), 1, _etag(-number if changed else number), True, False)


def _compare(folder: Path, pictures: int) -> None:
    from mmsearch_core.stages.hints import compare
    from mmsearch_core.testing.memory_store import MemoryStore

    runtime = fake_runtime(catalog={"inventory": "s3://reports/all/"})
    reports = MemoryStore("reports")
    files = [(folder / f"{file}.parquet").read_bytes() for file in range(FILES)]
    day = "all/2026-11-22T01-00Z"
    inventory.write(
        reports, day, files, bucket="catalog", created=datetime.now(UTC), file_format="Parquet"
    )
    runtime.catalog.put("products.jsonl", (folder / "products.jsonl").read_bytes())
    runtime = runtime.having(ledger=_ledger(folder), inventory=reports)
    (target,) = runtime.ledger.targets()
    started = time.perf_counter()
    report = compare.run(
        run_id="bench", target=target, stores=runtime.stores, settings=runtime.settings
    )
    _say(started, report.counts)
    counts = {
        name: report.counts[name] for name in ("added", "changed", "removed", "product_changed")
    }
    retitled = RETITLED * A_PRODUCT
    assert counts == {
        "added": ADDED,
        "changed": CHANGED,
        "removed": REMOVED,
        "product_changed": retitled,
    }, counts


def _bare(folder: Path, pictures: int) -> None:
    """What nobody can do without: the rows out of SQLite, the files, the join."""
    import sqlite3

    import duckdb
    import pyarrow as pa

    started = time.perf_counter()
    query = (
        "SELECT key, source_version, product_id, product_text, state FROM assets WHERE target_id ="
        " 'bench'"
    )
    with sqlite3.connect(folder / "ledger.db") as ledger, duckdb.connect() as database:
        rows = ledger.execute(query).fetchall()
        known = pa.table(dict(zip("kvpts", map(list, zip(*rows, strict=True)), strict=True)))
        database.register("known", known)
        listed = f"read_parquet('{folder}/*.parquet')"
        join = (
            f"SELECT count(*) FROM {listed} l FULL OUTER JOIN known ON l.key = known.k WHERE v <>"
            " e_tag || ':1'"
        )
        differ = database.execute(join).fetchone()
    _say(started, {"differ": differ[0] if differ else 0})


def _say(started: float, counts: Mapping[str, int]) -> None:
    measured = {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(time.process_time(), 1),
    }
    print(json.dumps({**measured, "peak_memory_mb": peak_memory_mb(), **counts}))


if __name__ == "__main__":
    {"compare": _compare, "bare": _bare}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
