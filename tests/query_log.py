"""Query logs for tests: people who ask, written as a shop writes them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from mmsearch_core.catalog.query_log import fetch_sums
from mmsearch_core.records.query import QueryEvent
from mmsearch_core.settings import QueryLog
from mmsearch_core.stages.search.mine import mined
from mmsearch_core.stages.search.popular import Popular
from mmsearch_core.testing.memory_store import MemoryStore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def asked(
    query: str, sessions: int, *, locale: str = "en", days_ago: float = 0, name: str = "s"
) -> list[QueryEvent]:
    """``sessions`` people ask once each."""
    time = NOW - timedelta(days=days_ago)
    return [
        QueryEvent(time=time, session=f"{name}{n}", locale=locale, query=query)
        for n in range(sessions)
    ]


def line(event: QueryEvent) -> bytes:
    """The event as a line of the log."""
    written = {"session": event.session, "locale": event.locale, "query": event.query}
    return json.dumps({"time": event.time.isoformat(), **written}).encode()


def log_of(*objects: Iterable[QueryEvent | bytes]) -> MemoryStore:
    """A bucket with an object for each group of events; what is bytes already is a line as it
    is."""
    store = MemoryStore("logs")
    for number, events in enumerate(objects):
        lines = [event if isinstance(event, bytes) else line(event) for event in events]
        store.put(f"queries/{number}.jsonl", b"\n".join(lines))
    return store


def popular(
    *objects: Iterable[QueryEvent | bytes], now: datetime = NOW, **knobs: object
) -> Popular:
    """What is mined of such a log at noon of the day of the events."""
    return mined(log_of(*objects), MemoryStore("work"), QueryLog.model_validate(knobs), now=now)


def sums_of(*objects: bytes) -> list[tuple[str | None, str | None, int]]:
    """Locale, query and how often, as they stand in the sums of these log objects."""
    import pyarrow.parquet as pq

    store = MemoryStore("logs")
    for number, data in enumerate(objects):
        store.put(f"queries/{number}", data)
    with TemporaryDirectory() as folder:
        sums = fetch_sums(store, MemoryStore("work"), QueryLog(), folder=Path(folder), now=NOW)
        rows = [row for file in sums.files for row in pq.read_table(file).to_pylist()]
    return [(row["locale"], row["query"], row["times"]) for row in rows]
