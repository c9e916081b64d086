"""The query log: which of its objects can matter, and what each of them holds, cleaned and added up
once ever.

The sums of an object are a Parquet file in the work bucket, named by the object's key and version,
with a row for each session, day (UTC), locale and query: the earliest time, and how often. The
query is normalised, and null where it is no person's words. The row without a session counts the
lines that could not be read. So a night reads the objects that are new or changed, and of the
others these sums."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog
from more_itertools import chunked

from mmsearch_core.ahead import ahead
from mmsearch_core.catalog.log_line import lines, opened, read_line, words
from mmsearch_core.errors import PreconditionFailed, TryLater
from mmsearch_core.layout import LOG_SUMS
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.records.ids import digest
from mmsearch_core.records.query import LONGEST_TYPED
from mmsearch_core.settings import QueryLog

log = structlog.get_logger()

CLEANING = "1"  # to be raised when other sums come of the same lines
READERS = 8
MEMORY = 256 * 1024 * 1024  # bytes of objects that may wait to be read, unless one alone is larger
LINES_A_BATCH = 50_000
TEXTS_REMEMBERED = 50_000  # cleaned once while they come again
TRIES = 3

ROWS = pa.schema(
    [
        ("time", pa.timestamp("us", tz="UTC")),
        ("session", pa.string()),
        ("locale", pa.string()),
        ("query", pa.string()),
    ]
)
ADD_UP = """
    SELECT md5_number_lower(session) AS session, CAST(moment AS DATE) AS day, locale, query,
           min(moment) AS time, count(*) AS times
    FROM (SELECT *, make_timestamp(epoch_us(time)) AS moment FROM rows)
    GROUP BY ALL ORDER BY day, locale, query, session
"""
_Row = tuple[datetime | None, str | None, str | None, str | None]
_UNREADABLE: _Row = (None, None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSums:
    """The sums of all objects that can matter, on this machine's disk.

    ``old`` objects were left alone, ``read`` ones had no sums yet.
    """

    files: tuple[Path, ...]
    read: int
    old: int


@dataclass(frozen=True, slots=True)
class _Fetched:
    """An object of the log, or its sums."""

    key: str  # of the sums
    data: bytes
    added_up: bool


def fetch_sums(
    query_log: ObjectStore, work: ObjectStore, settings: QueryLog, *, folder: Path, now: datetime
) -> LogSums:
    """Bring the sums of the log into the folder, reading what has none; forget sums that are older
    than the window.

    Raises TryLater where an object changes faster than it can be read.
    """
    matter, since, old = objects_that_matter(query_log.list(settings.prefix), settings, now)
    there = {found.key: found.last_modified for found in work.list(LOG_SUMS)}

    def fetch(ref: ObjectRef) -> _Fetched | None:
        key = sums_key(ref)
        sums = work.get(key) if key in there else None
        return _Fetched(key, sums, added_up=True) if sums else _read(query_log, ref)

    files: list[Path] = []
    used: set[str] = set()
    read = 0
    largest = max((ref.size for ref in matter), default=0)
    window = max(1, min(2 * READERS, MEMORY // max(1, largest)))
    with _database(folder) as database:
        for fetched in ahead(fetch, matter, workers=min(READERS, window), window=window):
            if fetched is None:
                continue  # it went away
            file = folder / f"{len(files)}.parquet"
            if fetched.added_up:
                file.write_bytes(fetched.data)
            else:
                _add_up(database, fetched.data, file)
                work.put(fetched.key, file.read_bytes())
                read += 1
            files.append(file)
            used.add(fetched.key)
    for key, written in there.items():
        if written < since and key not in used:
            work.delete(key)
    log.info("query_log.read", objects=len(files), read=read, old=old)
    return LogSums(files=tuple(files), read=read, old=old)


def objects_that_matter(
    found: Iterable[ObjectRef], settings: QueryLog, now: datetime
) -> tuple[list[ObjectRef], datetime, int]:
    """The objects that may hold an event of the window, when the window begins, and how many are
    older.

    The events of an object are older than its last change, and not younger than the day that its
    key names, which may end up to a day later than in UTC. The window ends with the youngest
    object, so that a log to which nothing was added for long still says what is popular."""
    since = datetime.min.replace(tzinfo=UTC)
    kept: list[tuple[datetime, ObjectRef]] = []
    seen = 0
    for ref in found:
        seen += 1
        latest = min(ref.last_modified, now)
        if day := named_day(ref.key, settings.day_pattern):
            latest = min(latest, day + timedelta(days=2))
        since = max(since, latest - settings.window)
        if latest >= since:
            kept.append((latest, ref))
    matter = [ref for latest, ref in kept if latest >= since]
    return sorted(matter, key=lambda ref: ref.key), since, seen - len(matter)


def named_day(key: str, pattern: str) -> datetime | None:
    """The day that a key names; of several the last, since too much is better read than too
    little."""
    days = []
    for match in re.finditer(pattern, key) if pattern else ():
        try:
            year, month, day = map(int, match.groups())
            days.append(datetime(year, month, day, tzinfo=UTC))
        except (ValueError, TypeError):
            continue  # digits that are no day
    return max(days, default=None)


def sums_key(ref: ObjectRef) -> str:
    """Where the sums of an object lie; another cleaning, or another Unicode, makes others."""
    cleaning = digest("query_log", CLEANING, unicodedata.unidata_version)[:12]
    return f"{LOG_SUMS}{cleaning}/{digest(ref.bucket, ref.key, ref.version)}.parquet"


def _read(query_log: ObjectStore, ref: ObjectRef) -> _Fetched | None:
    """The object as it is now, under the name of the version that it has now; None if it went
    away."""
    current: ObjectRef | None = ref
    for _ in range(TRIES):
        if current is None:
            return None
        try:
            data = query_log.get(current.key, if_match=current.etag)
        except PreconditionFailed:
            current = query_log.head(current.key)
            continue
        return None if data is None else _Fetched(sums_key(current), data, added_up=False)
    raise TryLater(
        f"{ref.key} of the query log changed {TRIES} times while it was read: try again later."
    )


def _database(folder: Path) -> Any:
    """DuckDB with bounded memory; what does not fit goes to the folder."""
    import duckdb

    options = {"memory_limit": "400MB", "threads": 2, "preserve_insertion_order": False}
    return duckdb.connect(folder / "add_up.duckdb", config=options)


def _add_up(database: Any, data: bytes, file: Path) -> None:
    rows = pa.RecordBatchReader.from_batches(ROWS, _batches(data))
    database.register("rows", rows)
    database.execute(f"COPY ({ADD_UP}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
    database.unregister("rows")


def _batches(data: bytes) -> Iterator[pa.RecordBatch]:
    cleaned = lru_cache(TEXTS_REMEMBERED)(words)

    def row(line: bytes | None) -> _Row:
        event = read_line(line) if line else None
        if event is None:
            return _UNREADABLE
        query = cleaned(event.query) if len(event.query) <= LONGEST_TYPED else None
        return event.time, event.session, event.locale if query else None, query

    found = lines(opened(data))
    for batch in chunked(map(row, found), LINES_A_BATCH):
        columns = zip(*batch, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, ROWS, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=ROWS)
