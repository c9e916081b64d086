"""The cells of all tables of the documents that are live in an index."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from more_itertools import chunked

from mmsearch_core.layout import TABLES, build_of_cells
from mmsearch_core.parquet import schema_of
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.cell import TableCell
from mmsearch_core.records.target import Target

READERS = 16
PIECE = 500  # files that are looked up and read at a time


def current_cells(work: ObjectStore, ledger: Ledger, target: Target) -> Iterator[pa.Table]:
    """The cells of the documents' live builds, some documents at a time, as ``TableCell``. What the
    ledger calls live counts: a document is there as its rows are in the index, in one build."""
    for piece in chunked((found.key for found in work.list(TABLES)), PIECE):
        files = _read(work, _live(piece, ledger, target))
        yield pa.concat_tables([schema_of(TableCell).empty_table(), *files])


def write_current_cells(work: ObjectStore, ledger: Ledger, target: Target, path: Path) -> int:
    """Write the current cells to a file, as Parquet; returns how many there are."""
    count = 0
    with pq.ParquetWriter(path, schema_of(TableCell)) as writer:
        for cells in current_cells(work, ledger, target):
            writer.write_table(cells)
            count += cells.num_rows
    return count


def _live(keys: Sequence[str], ledger: Ledger, target: Target) -> list[str]:
    builds = {key: build_of_cells(key) for key in keys}
    assets = dict.fromkeys(asset for asset, _ in builds.values())
    known = ledger.look_up(target.target_id, list(assets))
    live = {(asset, was.live_build) for asset, was in known.items()}
    return sorted(key for key, build in builds.items() if build in live)


def _read(work: ObjectStore, keys: Sequence[str]) -> Iterator[pa.Table]:
    with ThreadPoolExecutor(READERS) as readers:
        for data in readers.map(work.get, keys):
            if data:  # a document that went a moment ago may have gone for good
                yield pq.read_table(io.BytesIO(data)).cast(schema_of(TableCell))
