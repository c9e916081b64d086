"""A feed against the products that the ledger knows: both spooled to Parquet, then one full outer
join in DuckDB over digests alone, in bounded memory however many products there are."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mmsearch_core.catalog.feed import read_line, read_lines
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.records.asset import Product
from mmsearch_core.records.commit import PRODUCT_COLUMNS
from mmsearch_core.records.ids import ProductId

LINES = pa.schema(
    [
        ("line", pa.int64()),
        ("product", pa.string()),
        ("readable", pa.bool_()),
        ("text", pa.string()),  # digests
        ("whole", pa.string()),
        ("said", pa.binary()),  # the line: few are wanted again, so nothing of it is kept but this
    ]
)
PIECE = 10_000  # lines held at once
TOLD = 5  # unreadable lines that are told with their reason
MEMORY = "400MB"  # for DuckDB; what does not fit goes to the folder

# Of a product that is named twice the last line that can be read counts. "kept": its lines cannot
# be read, so what is known of it stays; "unknown": the same, and nothing is known.
JOIN = """
    WITH named AS (SELECT product, max(line) FILTER (WHERE readable) AS line
                   FROM lines GROUP BY product),
    last AS (SELECT line, text, whole FROM lines WHERE readable),
    feed AS (SELECT named.product, named.line, last.text, last.whole
             FROM named LEFT JOIN last ON last.line = named.line)
    SELECT coalesce(feed.product, known.product_id) AS product, feed.line,
           CASE WHEN feed.product IS NULL THEN 'gone'
                WHEN feed.line IS NULL AND known.product_id IS NULL THEN 'unknown'
                WHEN feed.line IS NULL THEN 'kept'
                WHEN known.product_id IS NULL THEN 'new'
                WHEN feed.text <> known.text_digest THEN 'retitled'
                WHEN feed.whole <> known.facts_digest THEN 'changed'
                ELSE 'unchanged' END AS verdict
    FROM feed FULL OUTER JOIN known ON feed.product = known.product_id
"""
WRITTEN = ("new", "retitled", "changed")
TOUCHING = ("new", "retitled", "gone")  # what is searchable of their pictures is no longer right
VERDICTS = (*WRITTEN, "gone", "kept", "unknown", "unchanged")


@dataclass(slots=True)
class Spooled:
    """What was read of a feed: lines that are not blank, those that say a product, and those that
    name none."""

    lines: int = 0
    readable: int = 0
    unnamed: int = 0
    # the first unreadable lines, each with its reason
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedChanges:
    """How a feed differs from what the ledger knows; ``counts`` are products by verdict."""

    folder: Path
    counts: Mapping[str, int]

    @property
    def known(self) -> int:
        """How many products the ledger knows."""
        return sum(
            self.counts[verdict] for verdict in ("retitled", "changed", "gone", "kept", "unchanged")
        )

    def products(self) -> Iterator[Product]:
        """Those that are new or differ, as the feed has them."""
        numbers = [batch["line"] for batch in self._verdicts(WRITTEN)]
        last = max(
            (int(np.max(piece)) for piece in map(np.asarray, numbers) if len(piece)), default=-1
        )
        wanted = np.zeros(last + 1, dtype=bool)  # by number of line: ten megabytes for ten million
        for piece in numbers:
            wanted[np.asarray(piece, dtype=np.int64)] = True
        with pq.ParquetFile(self.folder / "feed_lines") as file:
            for batch in file.iter_batches(PIECE, columns=["line", "said"]):
                lines = batch["line"].to_numpy()
                within = lines <= last
                mask = np.zeros(len(lines), dtype=bool)
                mask[within] = wanted[lines[within]]
                for line in batch["said"].filter(pa.array(mask)).to_pylist():
                    said = read_line(line)
                    assert isinstance(said, Product)
                    yield said

    def gone(self) -> Iterator[ProductId]:
        """Those that the feed names no more."""
        for batch in self._verdicts(("gone",)):
            yield from batch["product"].to_pylist()

    def touching(self) -> Iterator[list[ProductId]]:
        """Those whose searchable text is new, differs or is gone, in batches."""
        for batch in self._verdicts(TOUCHING):
            yield batch["product"].to_pylist()

    def _verdicts(self, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc

        with pq.ParquetFile(self.folder / "feed_changes") as file:
            for batch in file.iter_batches(PIECE):
                found = batch.filter(pc.is_in(batch["verdict"], pa.array(wanted)))
                if found.num_rows:
                    yield found


class FeedSpool:
    """A folder that holds both sides of the comparison."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def feed(self, path: Path) -> Spooled:
        """Read and spool the feed."""
        spooled = Spooled()
        rows: list[tuple[Any, ...]] = []
        with pq.ParquetWriter(self.folder / "feed_lines", LINES) as writer:
            for row in _rows(path, spooled):
                rows.append(row)
                if len(rows) == PIECE:
                    writer.write_batch(_batch(rows))
                    rows.clear()
            if rows:
                writer.write_batch(_batch(rows))
        return spooled

    def compare(self, ledger: Ledger) -> FeedChanges:
        """Compare the feed that was spooled with what the ledger knows now."""
        import duckdb

        with pq.ParquetWriter(self.folder / "feed_known", PRODUCT_COLUMNS) as writer:
            for batch in ledger.product_columns():
                writer.write_batch(batch)
        changes = self.folder / "feed_changes"
        with duckdb.connect(
            self.folder / "feed.duckdb", config={"memory_limit": MEMORY}
        ) as database:
            for name in ("lines", "known"):
                rows = f"read_parquet('{self.folder / f'feed_{name}'}')"
                database.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {rows}")  # noqa: S608
            database.execute(f"CREATE OR REPLACE TABLE joined AS {JOIN}")
            counted = database.execute(
                "SELECT verdict, count(*) FROM joined GROUP BY verdict"
            ).fetchall()
            database.execute(
                f"COPY (FROM joined WHERE verdict <> 'unchanged') TO '{changes}' (FORMAT parquet)"
            )
        counts = Counter(dict.fromkeys(VERDICTS, 0))
        counts.update(dict(counted))
        return FeedChanges(folder=self.folder, counts=counts)


def _rows(path: Path, spooled: Spooled) -> Iterator[tuple[Any, ...]]:
    for number, line in read_lines(path):
        said = read_line(line)
        spooled.lines += 1
        if isinstance(said, Product):
            spooled.readable += 1
            yield number, said.product_id, True, *said.digests, line
            continue
        spooled.unnamed += said.product_id is None
        if len(spooled.problems) < TOLD:
            name = f" ({said.product_id})" if said.product_id else ""
            spooled.problems.append(f"line {number}{name}: {said.reason}")
        if said.product_id is not None:
            yield number, said.product_id, False, None, None, None


def _batch(rows: Iterable[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for field, column in zip(LINES, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=LINES)
