"""Things of the catalog that are too many to hold: spooled to a file, then sorted or told apart by
DuckDB, in bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from more_itertools import chunked

from mmsearch_core.own_folder import own_folder

MEMORY = "400MB"  # for DuckDB; what does not fit goes to the folder
ROWS = 50_000  # written at a time


def in_order(keys: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    """The keys, sorted, in pieces of ``size``; the last one may be shorter."""
    schema = pa.schema([("key", pa.string())])
    with _database(schema, ((key,) for key in keys)) as database:
        found = database.execute("SELECT key FROM things ORDER BY key")
        while rows := found.fetchmany(size):
            yield tuple(key for (key,) in rows)


def count_different(
    things: Iterable[tuple[str, Sequence[bool]]], groups: Sequence[str]
) -> dict[str, int]:
    """How many different contents each group has.

    :param things: the content of each thing, and for each group whether the thing belongs to it.
    """
    schema = pa.schema([("content", pa.string()), *((group, pa.bool_()) for group in groups)])
    with _database(schema, ((content, *member) for content, member in things)) as database:
        counts = {}
        for group in groups:
            contents = f'SELECT content FROM things WHERE "{group}" GROUP BY content'  # noqa: S608
            (counts[group],) = database.execute(f"SELECT count(*) FROM ({contents})").fetchone()  # noqa: S608 no input in it
        return counts


@contextmanager
def _database(schema: pa.Schema, rows: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """A database with the table ``things``."""
    import duckdb

    with own_folder() as folder:
        file = Path(folder) / "things.parquet"
        with pq.ParquetWriter(file, schema) as writer:
            for batch in chunked(rows, ROWS):
                columns = [
                    pa.array(column, field.type)
                    for column, field in zip(zip(*batch, strict=True), schema, strict=True)
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        with duckdb.connect(
            Path(folder) / "things.duckdb", config={"memory_limit": MEMORY}
        ) as database:
            database.execute(f"CREATE VIEW things AS SELECT * FROM read_parquet('{file}')")  # noqa: S608 no input in it
            yield database
