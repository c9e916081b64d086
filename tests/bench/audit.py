"""The nightly audit at a million rows: an index that is read as columns against a ledger in SQLite,
in a process of its own whose time and peak memory are measured; and how fast Milvus Lite gives such
columns."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mmsearch_core.adapters.ledger.rows import writing_row
from mmsearch_core.adapters.ledger.schema import assets
from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.adapters.milvus_index import COLUMNS, MilvusIndex
from mmsearch_core.records.asset import Asset, ObjectRef, asset_id
from mmsearch_core.records.commit import Writing
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    PassageId,
    PixelsId,
    ProductId,
    RowId,
    SegmentId,
    TargetId,
    digest,
)
from mmsearch_core.records.row import ROW_COLUMNS, IndexRow, StoredRow, content_of
from mmsearch_core.records.segment import Whole
from mmsearch_core.records.target import Target
from tests.bench.row import Row, peak_memory_mb
from tests.line import fake_runtime
from tests.servers import running

ROWS, READ_FROM_LITE = 1_000_000, 50_000
LOST, ALTERED, GHOSTS = 300, 200, 100
DIMENSIONS = {"clip": 512, "sbert": 384}
SMALL = {"clip": 8, "sbert": 8}
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)
TARGET = Target(
    target_id=TargetId("bench"), collection="c", collection_uuid="u", recipes={}, status="live"
)
BUILD = Build("0" * 32)
SECONDS = 90  # what a night may give to a million rows


def audit_1m(rows: int = ROWS) -> list[Row]:
    """Rows a second; the reference is what the night's budget asks for."""
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), rows)
        command = [sys.executable, "-m", "tests.bench.audit", folder, str(rows)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        ours: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    asked = rows / (SECONDS * rows / ROWS)
    work = (
        f"{rows} rows against as many assets, {ours['index_reread']} read back:"
        f" {ours['seconds']} s, {ours['cpu_seconds']} s of a core; the reference is {SECONDS} s a"
        " million"
    )
    measured = Row(
        name="audit_1m",
        ours=round(rows / ours["seconds"]),
        reference=round(asked),
        ratio=round(rows / ours["seconds"] / asked, 2),
        unit="rows/s",
        work=work,
        peak_memory_mb=ours["peak_memory_mb"],
    )
    return [measured, *_lite()]


def _lite() -> list[Row]:
    """What Milvus Lite takes for its part of it: columns of all rows, and whole rows that are read
    back."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        index = MilvusIndex(settings.index.uri)
        index.create("bench", SMALL)
        for start in range(0, READ_FROM_LITE, 5_000):
            index.upsert(
                "bench", [_row(number, SMALL) for number in range(start, start + 5_000)], writer=1
            )
        began = time.perf_counter()
        assert sum(batch.num_rows for batch in index.row_columns("bench")) == READ_FROM_LITE
        columns = time.perf_counter() - began
        began = time.perf_counter()
        read_back = [
            stored for stored in index.rows_between("bench", "0", "1") if not stored.altered
        ]
        back = time.perf_counter() - began
    rates = {"columns": READ_FROM_LITE / columns, "read back": len(read_back) / back}
    return [
        Row(
            name="audit_1m",
            ours=round(rate),
            reference=None,
            ratio=None,
            unit="rows/s",
            work=f"Milvus Lite, {READ_FROM_LITE} rows: {name}",
            peak_memory_mb=None,
        )
        for name, rate in rates.items()
    ]


def _key(number: int) -> str:
    return f"pictures/p{number // 5:07}/{number}.jpg"


@cache
def _vectors(space: str, dimension: int) -> list[Vector]:
    rng = np.random.default_rng(dimension)
    return list(rng.normal(size=(64, dimension)).astype(np.float32))


def _row(number: int, dimensions: dict[str, int]) -> IndexRow:
    name = digest("row", str(number))
    return IndexRow(
        row_id=RowId(name),
        passage_id=PassageId(name),
        segment_id=SegmentId(name),
        asset_id=asset_id("catalog", _key(number)),
        product_id=ProductId(f"p{number // 5:07}"),
        build=BUILD,
        kind="caption",
        where=Whole(),
        pixels=PixelsId(name),
        text=f"red dress {number}\n红色连衣裙 {number}",
        vectors={space: _vectors(space, size)[number % 64] for space, size in dimensions.items()},
    )


def _fill(folder: Path, rows: int) -> None:
    """The ledger, and the index's columns in a file: of the first assets the rows are lost, of the
    next altered, and there are rows of nobody."""
    ledger = SqlLedger(f"sqlite:///{folder / 'ledger.db'}")
    ledger.add_target(TARGET)
    with pq.ParquetWriter(folder / "rows", ROW_COLUMNS) as writer:
        for start in range(0, rows, COLUMNS):
            made = [_row(number, DIMENSIONS) for number in range(start, min(rows, start + COLUMNS))]
            live = [_live(number, row) for number, row in enumerate(made, start)]
            with ledger._database.writing() as connection:
                connection.execute(assets.insert(), live)
            lines = [_line(row) for number, row in enumerate(made, start) if number >= LOST]
            for line in lines[:ALTERED] if start == 0 else []:
                line["content"] = "f" * 16
            writer.write_batch(pa.RecordBatch.from_pylist(lines, schema=ROW_COLUMNS))
        ghosts = [_line(_row(number, DIMENSIONS)) for number in range(rows, rows + GHOSTS)]
        writer.write_batch(pa.RecordBatch.from_pylist(ghosts, schema=ROW_COLUMNS))
    keys = pa.table({"key": [_key(number) for number in range(rows)]})
    pq.write_table(keys, folder / "listing")


def _line(row: IndexRow) -> dict[str, Any]:
    names = {"row_id": row.row_id, "asset_id": row.asset_id, "build": row.build}
    return {**names, "content": row.content, "writer": 7}


def _live(number: int, row: IndexRow) -> dict[str, Any]:
    source = ObjectRef(bucket="catalog", key=_key(number), etag="e", size=1, last_modified=LONG_AGO)
    asset = Asset(asset_id=row.asset_id, product_id=row.product_id, kind="picture", source=source)
    writing = Writing(asset=asset, build=BUILD, product_text="t", observed_at=LONG_AGO)
    made = {"state": "live", "live_build": BUILD, "rows": 1, "content": content_of([row])}
    return {**writing_row(TARGET.target_id, writing), **made}


class Columns:
    """An index of which only the columns are there; whole rows are drawn when they are asked
    for."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._folder, self._rows = folder, rows

    def uuid(self, collection: str) -> str:
        return TARGET.collection_uuid

    def row_columns(self, collection: str) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self._folder / "rows") as file:
            yield from file.iter_batches(COLUMNS)

    def rows_between(self, collection: str, first: str, last: str) -> Iterator[StoredRow]:
        for number in range(self._rows // 20):  # as many as a night reads back
            row = _row(number, DIMENSIONS)
            yield StoredRow(row=row, content=row.content, writer=7)

    def rows_of(self, collection: str, wanted: Sequence[AssetId]) -> Iterator[StoredRow]:
        for number in range(LOST, LOST + ALTERED):
            row = _row(number, DIMENSIONS)
            if row.asset_id in wanted:
                yield StoredRow(row=row, content="f" * 16, writer=7)

    def greatest_writer(self, collection: str) -> int:
        return 7

    def remove_rows(
        self, collection: str, rows: Sequence[RowId], *, writer: int = 0
    ) -> list[RowId]:
        return list(rows)


def _audit(folder: Path, rows: int) -> None:
    from mmsearch_core.stages.hints import audit

    ledger = SqlLedger(f"sqlite:///{folder / 'ledger.db'}")
    columns: Any = Columns(folder, rows)
    runtime = fake_runtime().having(ledger=ledger, index=columns)
    started = time.perf_counter()
    counts = audit.run(
        target=TARGET, stores=runtime.stores, settings=runtime.settings, listing=folder / "listing"
    )
    measured = {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(time.process_time(), 1),
    }
    print(json.dumps({**measured, "peak_memory_mb": peak_memory_mb(), **counts}))
    found = (counts["index_lost"], counts["index_altered"], counts["index_ghosts"])
    assert found == (LOST, ALTERED, GHOSTS), counts


if __name__ == "__main__":
    _audit(Path(sys.argv[1]), int(sys.argv[2]))
