"""What the bucket holds against what the ledger knows: both spooled to Parquet, then one full outer join in DuckDB, in
bounded memory and whatever order the lines come in."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmsearch_core.catalog.keys import ProductOf
from mmsearch_core.ports import Ledger
from mmsearch_core.records.commit import KNOWN_COLUMNS
from mmsearch_core.records.ids import TargetId

LINES = pa.schema([("key", pa.string()), ("version", pa.string()), ("product", pa.string())])
PRODUCTS = pa.schema([("product", pa.string()), ("product_text", pa.string())])

# "writing" is a build that was never finished: always changed. A failed asset stays failed until its bytes change.
# An inventory says nothing of what the ledger saw later than it: that is ``fresher``, unless a clock was ahead then.
JOIN = """
    WITH listed AS (SELECT key, min(version) AS version, min(product) AS product FROM lines GROUP BY key),
    known AS (SELECT *, coalesce(observed_at > to_timestamp($as_of) AND observed_at <= now(), false) AS fresher
              FROM ledger)
    SELECT coalesce(listed.key, known.key) AS key,
           known.key IS NOT NULL AS known,
           CASE WHEN listed.key IS NULL AND NOT fresher THEN 'removed'
                WHEN products.product IS NULL AND known.state = 'waiting_for_product' THEN 'waiting_for_product'
                WHEN known.key IS NULL OR known.state = 'waiting_for_product' THEN 'added'
                WHEN known.state = 'writing' OR NOT fresher AND (known.source_version <> listed.version
                     OR known.product_id <> listed.product) THEN 'changed'
                WHEN products.product IS NULL THEN 'product_changed'  -- the feed has it no more
                WHEN known.state = 'failed' THEN 'failed_before'
                WHEN known.product_text <> coalesce(products.product_text, '') THEN 'product_changed'
                ELSE 'unchanged' END AS verdict
    FROM listed
    FULL OUTER JOIN known ON listed.key = known.key
    LEFT JOIN products ON products.product = coalesce(listed.product, known.product_id)
"""
LISTING = "lines"  # the file with every object's key
TO_DO = ("added", "changed", "removed", "product_changed")
MEMORY = "400MB"  # for DuckDB; what does not fit goes to the folder


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The outcome of the join, in a database."""

    database: Any

    def counts(self) -> dict[str, int]:
        """Keys by verdict, and how many the ledger knows."""
        counted = self.database.execute("SELECT verdict, count(*) FROM verdicts GROUP BY verdict").fetchall()
        (known,) = self.database.execute("SELECT count(*) FROM verdicts WHERE known").fetchone()
        return {**dict.fromkeys((*TO_DO, "unchanged"), 0), **dict(counted), "known": known}

    def keys(self, size: int) -> Iterator[tuple[str, ...]]:
        """The keys to look at, in order, ``size`` at a time."""
        found = self.database.execute("SELECT key FROM verdicts WHERE verdict IN $todo ORDER BY key", {"todo": TO_DO})
        while rows := found.fetchmany(size):
            yield tuple(key for (key,) in rows)


class Spool:
    """A folder that holds both sides of the comparison."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def listing(self, batches: Iterable[Sequence[tuple[str, str]]], product_of: ProductOf) -> None:
        """Spool (key, version) of every object."""
        self._write(LISTING, LINES, (_lines(batch, product_of) for batch in batches))

    def ledger(self, ledger: Ledger, target: TargetId, prefix: str) -> None:
        """Spool what the ledger knows under the prefix, and all products."""
        self._write("ledger", KNOWN_COLUMNS, ledger.known_columns(target, prefix=prefix))
        texts = ledger.product_texts()
        self._write("products", PRODUCTS, (_batch(PRODUCTS, *zip(*batch, strict=True)) for batch in texts))

    @contextmanager
    def joined(self, as_of: float | None) -> Iterator[Verdicts]:
        """The join; ``as_of`` is when the listing was made (seconds since the epoch), None if just now."""
        import duckdb

        with duckdb.connect(self.folder / "join.duckdb", config={"memory_limit": MEMORY}) as database:
            for name in ("lines", "ledger", "products"):
                database.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{self.folder / name}')")  # noqa: S608
            database.execute(f"CREATE TABLE verdicts AS {JOIN}", {"as_of": as_of})
            yield Verdicts(database)

    def _write(self, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        with pq.ParquetWriter(self.folder / name, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)


def _lines(batch: Sequence[tuple[str, str]], product_of: ProductOf) -> pa.RecordBatch:
    keys = [key for key, _ in batch]
    return _batch(LINES, keys, [version for _, version in batch], [product_of(key) or "" for key in keys])


def _batch(schema: pa.Schema, *columns: Sequence[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for field, column in zip(schema, columns, strict=True)], schema=schema
    )
