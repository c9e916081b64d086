"""The proof of sameness: index, ledger and bucket are held against each other, in both directions.

Every row of the index says whose it is, of which build, and what it was when it was written (a
digest, ``content``). The ledger says how many rows each asset has and what they are together. Both
are spooled to Parquet and joined in DuckDB, in bounded memory:

- an asset whose live rows are too few, too many or others than were written is doubted: it counts
  as changed, and the batches that follow write it anew from what the models already said;
- a row that belongs to no asset, or to a build that is not live, is a ghost and is deleted.

What differs in the join is looked at once more under the lease of the target's one writer, since a
writer may have been at work meanwhile. A digest that stayed while its vector was altered is found
only by reading the row back: every night does so for one part of the rows, another part each night.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from mmsearch_core.errors import Busy
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.index import VectorIndex
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.asset import Removal
from mmsearch_core.records.commit import BUILT_COLUMNS, Known
from mmsearch_core.records.ids import AssetId, Build, RowId
from mmsearch_core.records.row import ROW_COLUMNS, StoredRow
from mmsearch_core.records.target import Target
from mmsearch_core.settings import Settings
from mmsearch_core.shards.writer import Writer

log = structlog.get_logger()

PIECE = 1_000  # rows or assets under one lease
LEASE_SECONDS = 60
PAUSE = 0.2  # seconds between two tries to get the lease
MEMORY = "400MB"  # for DuckDB; what does not fit goes to the folder
EVEN = 2**32  # the first eight hex digits of row ids are spread evenly over so many numbers
AFTER_ALL = "g"  # comes after all hex digits
ALTERED = pa.schema([("row_id", pa.string())])

# a sum of 64-bit digests modulo 2**64, as records.row.content_of computes it; no digest counts as 0
SUSPECTS = """
    CREATE TABLE suspects AS
    WITH there AS (
        SELECT rows.asset_id, rows.build, count(*) AS number,
               sum(coalesce(try_cast('0x' || content AS UBIGINT), 0)) % 18446744073709551616
                   AS content,
               bool_or(altered.row_id IS NOT NULL) AS altered
        FROM rows LEFT JOIN altered ON altered.row_id = rows.row_id
        GROUP BY rows.asset_id, rows.build),
    judged AS (
        SELECT known.asset_id,
               CASE WHEN coalesce(there.number, 0) < greatest(known.rows, 1) THEN 'lost'
                    WHEN there.altered THEN 'altered'
                    WHEN known.content = '' THEN NULL  -- written before anybody counted
                    WHEN there.number > known.rows THEN 'doubled'
                    WHEN there.content <> try_cast('0x' || known.content AS UBIGINT) THEN 'altered'
               END AS verdict
        FROM known LEFT JOIN there
             ON there.asset_id = known.asset_id AND there.build = known.live_build
        WHERE known.state = 'live')
    SELECT * FROM judged WHERE verdict IS NOT NULL
"""
# "writing" is somebody's business; what lies beside the rows of a suspect goes when that is written
# anew
GHOSTS = """
    CREATE TABLE ghosts AS
    SELECT rows.row_id, rows.asset_id, rows.build, known.asset_id IS NULL AS unknown
    FROM rows LEFT JOIN known ON known.asset_id = rows.asset_id
    WHERE (known.asset_id IS NULL
           OR known.state <> 'writing' AND known.live_build IS DISTINCT FROM rows.build)
      AND NOT EXISTS (SELECT 1 FROM suspects WHERE suspects.asset_id = rows.asset_id)
"""
# a picture of the bucket that the ledger does not know is added tonight, and takes over its rows
IN_THE_BUCKET = """
    DELETE FROM ghosts WHERE unknown AND asset_id IN (
        SELECT substr(sha256('5:asset' || strlen($bucket) || ':' || $bucket
                             || strlen(key) || ':' || key), 1, 32)
        FROM read_parquet($listing))
"""
COUNTS = (
    "index_rows",
    "index_reread",
    "index_lost",
    "index_doubled",
    "index_altered",
    "index_ghosts",
)
DIFFERENCES = COUNTS[2:]
LEFT = "index_ghosts_left"


@dataclass(frozen=True, slots=True)
class Ghost:
    """A row that no live build of an asset has."""

    row_id: RowId
    asset_id: AssetId
    build: Build


@dataclass(frozen=True, slots=True)
class Differences:
    """The outcome of the join, in a database."""

    database: Any

    def rows(self) -> int:
        """How many rows the index has."""
        return int(self._one("SELECT count(*) FROM rows"))

    def greatest_writer(self) -> int:
        """The greatest fencing token in the rows; one that no ledger could count up to is
        nobody's."""
        return int(
            self._one("SELECT coalesce(max(writer), 0) FROM rows WHERE writer < 1::BIGINT << 61")
        )

    def unknown(self) -> int:
        """How many ghosts are of assets that the ledger does not know."""
        return int(self._one("SELECT count(*) FROM ghosts WHERE unknown"))

    def suspects(self) -> Iterator[dict[AssetId, str]]:
        """Assets whose rows are not what the ledger says, and in what they differ, in pieces."""
        yield from map(dict, self._pieces("SELECT asset_id, verdict FROM suspects"))

    def ghosts(self, *, unknown: bool = True) -> Iterator[list[Ghost]]:
        """In pieces; without those of unknown assets if ``unknown`` is false."""
        which = "" if unknown else "WHERE NOT unknown"
        for rows in self._pieces(f"SELECT row_id, asset_id, build FROM ghosts {which}"):  # noqa: S608 no input in it
            yield [Ghost(RowId(row), AssetId(asset), Build(build)) for row, asset, build in rows]

    def _one(self, query: str) -> Any:
        return self.database.execute(query).fetchone()[0]

    def _pieces(self, query: str) -> Iterator[list[Any]]:
        found = self.database.cursor().execute(query)
        while rows := found.fetchmany(PIECE):
            yield rows


def nothing_altered(_: int) -> Iterable[RowId]:
    """Where no row was read back."""
    return ()


@contextmanager
def joined(
    rows: Iterable[pa.RecordBatch],
    known: Iterable[pa.RecordBatch],
    *,
    altered: Callable[[int], Iterable[RowId]] = nothing_altered,
    listing: Path | None = None,
    bucket: str = "",
) -> Iterator[Differences]:
    """Hold rows (``ROW_COLUMNS``) against the ledger (``BUILT_COLUMNS``).

    :param altered: given how many rows there are, those that were read back and no longer say what
        was written.
    :param listing: Parquet file with the ``key`` of every object of ``bucket``; None where it was
        not listed.
    """
    import duckdb

    with own_folder() as folder:
        place = Path(folder)
        count = _write(place / "rows", ROW_COLUMNS, rows)
        _write(place / "known", BUILT_COLUMNS, known)
        _write(
            place / "altered",
            ALTERED,
            [pa.record_batch([pa.array(list(altered(count)), pa.string())], ALTERED)],
        )
        with duckdb.connect(place / "join.duckdb", config={"memory_limit": MEMORY}) as database:
            for name in ("rows", "known", "altered"):
                rows = f"read_parquet('{place / name}')"
                database.execute(f"CREATE VIEW {name} AS SELECT * FROM {rows}")  # noqa: S608
            database.execute(SUSPECTS)
            database.execute(GHOSTS)
            differences = Differences(database)
            if listing and differences.unknown():
                database.execute(IN_THE_BUCKET, {"bucket": bucket, "listing": str(listing)})
            yield differences


class PartOfTheNight:
    """Rows that are read back, vectors and all: one part of the collection, another one each
    ``day``, of at most about ``most`` rows. A collection of no more rows than that is read whole.
    ``read`` counts them."""

    def __init__(self, index: VectorIndex, collection: str, *, most: int, day: int) -> None:
        self._index, self._collection, self._most, self._day = index, collection, most, day
        self.read = 0

    def altered(self, rows: int) -> Iterator[RowId]:
        """Those of ``rows`` rows that no longer say what was written."""
        if not (rows and self._most):
            return
        parts = -(-rows // self._most)
        part = self._day % parts
        first, last = (f"{number * EVEN // parts:08x}" for number in (part, part + 1))
        for stored in self._index.rows_between(
            self._collection, first, last if part + 1 < parts else AFTER_ALL
        ):
            self.read += 1
            if stored.altered:
                yield stored.row.row_id


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of one target. ``patience`` (seconds) is how long it waits for the writer's lease;
    Busy after that."""

    stores: Stores
    target: Target
    patience: float = 0

    def is_there(self) -> bool:
        """Whether the target's collection is there, and is the one that the ledger knows of."""
        return self.stores.index.uuid(self.target.collection) == self.target.collection_uuid

    @contextmanager
    def compared(
        self,
        *,
        altered: Callable[[int], Iterable[RowId]] = nothing_altered,
        listing: Path | None = None,
    ) -> Iterator[Differences]:
        """Every row against everything that is known. The ledger's fencing tokens are raised over
        those of the rows: a ledger that is new or was restored would else be unable to replace or
        delete them."""
        rows = self.stores.index.row_columns(self.target.collection)
        known = self.stores.ledger.built_columns(self.target.target_id)
        bucket = self.stores.catalog.bucket
        with joined(rows, known, altered=altered, listing=listing, bucket=bucket) as differences:
            if greatest := differences.greatest_writer():
                self.stores.ledger.raise_token(f"index:{self.target.target_id}", greatest)
            yield differences

    def doubt(self, suspects: Iterable[Mapping[AssetId, str]]) -> Counter[str]:
        """Let those that still differ count as changed; returns how many do, by what they differ
        in."""
        counts: Counter[str] = Counter()
        for piece in suspects:
            with self._writing():
                verdicts = self._look_again(list(piece))
                known = self.stores.ledger.look_up(self.target.target_id, list(verdicts)).values()
                if known:
                    places = [
                        Removal(asset_id=one.asset_id, bucket=one.bucket, key=one.key)
                        for one in known
                    ]
                    self.stores.ledger.doubt(self.target.target_id, places)
            counts.update(verdicts.values())
        return counts

    def remove(self, ghosts: Iterable[Sequence[Ghost]]) -> Iterator[list[RowId]]:
        """Delete what still is a ghost; yields the ids of what was deleted, piece by piece."""
        for piece in ghosts:
            with self._writing() as writer:
                known = self.stores.ledger.look_up(
                    self.target.target_id, list({ghost.asset_id for ghost in piece})
                )
                rows = [
                    ghost.row_id for ghost in piece if _is_ghost(ghost, known.get(ghost.asset_id))
                ]
                gone = self.stores.index.remove_rows(
                    self.target.collection, rows, writer=writer.token
                )
            yield gone

    def _look_again(self, assets: Sequence[AssetId]) -> dict[AssetId, str]:
        """The same join for a few assets, all of whose rows are read back."""
        rows = list(self.stores.index.rows_of(self.target.collection, assets))
        altered = [stored.row.row_id for stored in rows if stored.altered]
        known = self.stores.ledger.built_columns(self.target.target_id, assets)
        with joined([_columns(rows)], known, altered=lambda _: altered) as again:
            return {
                asset: verdict for piece in again.suspects() for asset, verdict in piece.items()
            }

    @contextmanager
    def _writing(self) -> Iterator[Writer]:
        """Under the lease of the target's one writer."""
        target, deadline = self.target, time.monotonic() + self.patience
        writer = Writer(
            self.stores,
            target.target_id,
            target.collection,
            holder=uuid.uuid4().hex,
            seconds=LEASE_SECONDS,
        )
        with ExitStack() as stack:
            while not _entered(stack, writer, last=time.monotonic() >= deadline):
                time.sleep(PAUSE)  # writers hold it for seconds at a time
            yield writer


def run(
    *, target: Target, stores: Stores, settings: Settings, listing: Path, approved: int = 0
) -> dict[str, int]:
    """Audit the target against the bucket as it was just listed.

    Returns ``COUNTS``, and ``LEFT`` where ghosts were left: rows of unknown assets, more than may
    go unasked, are rather those of another ledger. Empty if the collection is not the one that the
    ledger knows of, which is the business of whoever makes it anew.
    """
    audit = Audit(stores, target, patience=2 * settings.shards.lease_seconds)
    if not audit.is_there():
        return {}
    today = datetime.now(UTC).toordinal()
    part = PartOfTheNight(stores.index, target.collection, most=settings.index.reread, day=today)
    counts = dict.fromkeys(COUNTS, 0)
    with audit.compared(altered=part.altered, listing=listing) as found:
        counts |= {"index_rows": found.rows(), "index_reread": part.read}
        counts |= {
            f"index_{verdict}": number for verdict, number in audit.doubt(found.suspects()).items()
        }
        unknown = found.unknown()
        allowed = max(settings.catalog.removed_at_least, approved)
        too_many = unknown > max(allowed, settings.catalog.removed_share * counts["index_rows"])
        counts |= {LEFT: unknown} if too_many else {}
        counts["index_ghosts"] = sum(
            len(gone) for gone in audit.remove(found.ghosts(unknown=not too_many))
        )
    differs = any(counts[name] for name in DIFFERENCES) or too_many
    (log.warning if differs else log.info)("audit.done", collection=target.collection, **counts)
    return counts


def _entered(stack: ExitStack, writer: Writer, *, last: bool) -> bool:
    """Whether the lease could be taken; Busy if it could not the ``last`` time."""
    try:
        stack.enter_context(writer)
    except Busy:
        if last:
            raise
        return False
    return True


def _is_ghost(ghost: Ghost, known: Known | None) -> bool:
    return known is None or (known.state != "writing" and known.live_build != ghost.build)


def _columns(rows: Sequence[StoredRow]) -> pa.RecordBatch:
    lines = [(it.row.row_id, it.row.asset_id, it.row.build, it.content, it.writer) for it in rows]
    columns = zip(*lines, strict=True) if lines else [()] * len(ROW_COLUMNS)
    arrays = [
        pa.array(values, field.type) for field, values in zip(ROW_COLUMNS, columns, strict=True)
    ]
    return pa.record_batch(arrays, ROW_COLUMNS)


def _write(file: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Spool the batches; returns how many rows they have."""
    count = 0
    # digests: neither a dictionary nor compression makes them smaller
    with pq.ParquetWriter(file, schema, use_dictionary=False, compression="none") as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count
