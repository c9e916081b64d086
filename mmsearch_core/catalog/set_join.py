"""What the bucket holds against what the ledger knows: both spooled to Parquet, then one full outer
join in DuckDB, in bounded memory and whatever order the lines come in."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mmsearch_core.catalog.keys import ProductOf
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.records.asset import Removal, asset_id
from mmsearch_core.records.commit import KNOWN_COLUMNS, PRODUCT_COLUMNS
from mmsearch_core.records.ids import TargetId

LINES = pa.schema([("key", pa.string()), ("version", pa.string()), ("product", pa.string())])

# "writing" is a build that was never finished: always changed. A failed asset stays failed until
# its bytes change. An inventory says nothing of what the ledger saw later than it: that is
# ``fresher``, unless a clock was ahead then. What the ledger knows of another bucket, or outside
# the prefix, is no longer of this catalog: it was ``moved``.
JOIN = """
    WITH listed AS (SELECT key, min(version) AS version, min(product) AS product
                    FROM lines GROUP BY key),
    known AS (SELECT *,
                     coalesce(observed_at > to_timestamp($as_of) AND observed_at <= now(), false)
                         AS fresher,
                     bucket <> $bucket OR NOT starts_with(key, $prefix) AS moved
              FROM ledger)
    SELECT coalesce(listed.key, known.key) AS key,
           known.key IS NOT NULL AS known,
           listed.key IS NOT NULL AS listed,
           hash(listed.version, products.text_digest) AS seen,
           known.bucket,
           coalesce(known.moved, false) AS moved,
           CASE WHEN known.moved OR listed.key IS NULL AND NOT fresher THEN 'removed'
                WHEN products.product_id IS NULL AND known.state = 'waiting_for_product'
                     THEN 'waiting_for_product'
                WHEN known.key IS NULL OR known.state = 'waiting_for_product' THEN 'added'
                WHEN known.state = 'writing' OR NOT fresher
                     AND (known.source_version <> listed.version
                          OR known.product_id <> listed.product) THEN 'changed'
                WHEN products.product_id IS NULL THEN 'product_changed'  -- the feed has it no more
                WHEN known.state = 'failed' THEN 'failed_before'
                WHEN known.product_text <> coalesce(products.text_digest, '') THEN 'product_changed'
                ELSE 'unchanged' END AS verdict
    FROM listed
    FULL OUTER JOIN known ON listed.key = known.key AND NOT known.moved
    LEFT JOIN products ON products.product_id = coalesce(listed.product, known.product_id)
"""
LISTING = "lines"  # the file with every object's key
TO_DO = ("added", "changed", "removed", "product_changed")
MEMORY = "400MB"  # for DuckDB; what does not fit goes to the folder


class Hint(NamedTuple):
    """A key to look at; ``seen`` stands for the object's version and its product's text, as they
    were compared."""

    key: str
    listed: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The outcome of the join, in a database."""

    database: Any

    def counts(self) -> dict[str, int]:
        """Keys by verdict, and how many the ledger knows."""
        counted = self.database.execute(
            "SELECT verdict, count(*) FROM verdicts GROUP BY verdict"
        ).fetchall()
        (known,) = self.database.execute("SELECT count(*) FROM verdicts WHERE known").fetchone()
        return {**dict.fromkeys((*TO_DO, "unchanged"), 0), **dict(counted), "known": known}

    def hints(self, size: int) -> Iterator[list[Hint]]:
        """The keys of the catalog to look at, in order, ``size`` at a time."""
        query = (
            "SELECT key, listed, seen FROM verdicts WHERE verdict IN $todo AND NOT moved ORDER"
            " BY key"
        )
        found = self.database.execute(query, {"todo": TO_DO})
        while rows := found.fetchmany(size):
            yield [Hint(key, listed, str(seen)) for key, listed, seen in rows]

    def moved(self, size: int) -> Iterator[tuple[Removal, ...]]:
        """What is no longer of the catalog, in order, ``size`` at a time."""
        found = self.database.execute(
            "SELECT bucket, key FROM verdicts WHERE moved ORDER BY bucket, key"
        )
        while rows := found.fetchmany(size):
            yield tuple(
                Removal(asset_id=asset_id(bucket, key), bucket=bucket, key=key, moved=True)
                for bucket, key in rows
            )


class Spool:
    """A folder that holds both sides of the comparison."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def listing(self, batches: Iterable[Sequence[tuple[str, str]]], product_of: ProductOf) -> None:
        """Spool (key, version) of every object."""
        self._write(LISTING, LINES, (_lines(batch, product_of) for batch in batches))

    def ledger(self, ledger: Ledger, target: TargetId) -> None:
        """Spool all that the ledger knows, and all products."""
        self._write("ledger", KNOWN_COLUMNS, ledger.known_columns(target))
        self._write("products", PRODUCT_COLUMNS, ledger.product_columns())

    @contextmanager
    def joined(self, bucket: str, prefix: str, as_of: float | None) -> Iterator[Verdicts]:
        """The join. The listing is of ``bucket`` under ``prefix``, made at ``as_of`` (seconds since
        the epoch), None if just now."""
        import duckdb

        with duckdb.connect(
            self.folder / "join.duckdb", config={"memory_limit": MEMORY}
        ) as database:
            for name in ("lines", "ledger", "products"):
                rows = f"read_parquet('{self.folder / name}')"
                database.execute(f"CREATE VIEW {name} AS SELECT * FROM {rows}")  # noqa: S608
            given = {"as_of": as_of, "bucket": bucket, "prefix": prefix}
            database.execute(f"CREATE TABLE verdicts AS {JOIN}", given)
            yield Verdicts(database)

    def _write(self, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        with pq.ParquetWriter(self.folder / name, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)


def _lines(batch: Sequence[tuple[str, str]], product_of: ProductOf) -> pa.RecordBatch:
    keys = [key for key, _ in batch]
    versions = [version for _, version in batch]
    products = [product_of(key) or "" for key in keys]
    return _batch(LINES, keys, versions, products)


def _batch(schema: pa.Schema, *columns: Sequence[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for field, column in zip(schema, columns, strict=True)],
        schema=schema,
    )
