"""The query log: what is read of it, and what becomes of its lines."""

import gzip
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mmsearch_core.catalog import query_log
from mmsearch_core.catalog.log_line import LONGEST_LINE, lines, read_line, words
from mmsearch_core.catalog.query_log import LogSums, fetch_sums, named_day, objects_that_matter
from mmsearch_core.errors import TryLater
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.settings import QueryLog
from mmsearch_core.testing.memory_store import MemoryStore
from tests.query_log import NOW, asked, line, sums_of

GOOD = line(asked("Red Dress", 1)[0])


def said(**other: str) -> bytes:
    """A good line but for some fields, as JSON."""
    fields = {
        "time": '"2026-11-20T10:00:00Z"',
        "session": '"s"',
        "locale": '"en"',
        "query": '"red"',
    } | other
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}").encode()


class Reader(MemoryStore):
    """A bucket that notes what is read of it."""

    def __init__(self) -> None:
        super().__init__("logs")
        self.read: list[str] = []

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        self.read.append(key)
        return super().get(key, if_match=if_match)


def fetch(
    store: MemoryStore,
    work: MemoryStore,
    folder: Path,
    *,
    now: datetime | None = None,
    **knobs: object,
) -> LogSums:
    return fetch_sums(
        store, work, QueryLog.model_validate(knobs), folder=folder, now=now or datetime.now(UTC)
    )


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"null",
        b"7",
        b'"text"',
        b"[1]",
        b"{}",
        b"[" * 60_000,
        b'{"query":' * 7_000,
        b"\xff\xfe",
        said(query='"\\ud800"'),
        said(session='"\\udc00"'),
        said(query='"caf\xe9"').decode().encode("latin-1"),
        said(query="7"),
        said(query="null"),
        said(query='["red"]'),
        said(session="null"),
        said(session="true"),
        said(session='""'),
        said(session=f'"{"s" * 201}"'),
        said(locale='"en|a"'),
        said(locale='""'),
        said(locale="{}"),
        said(time='"yesterday"'),
        said(time="1795168800"),
        said(time='"1970-01-01T00:00:00Z"'),
        said(time='"0001-01-01T00:00:00+14:00"'),
        said(time='"9999-12-31T23:59:59-14:00"'),
    ],
)
def test_a_line_that_is_no_event_is_counted_and_stops_nothing(bad: bytes) -> None:
    """Whoever can type into the shop's search can write into its log."""
    assert read_line(bad) is None
    counted = sums_of(b"\n".join([GOOD, bad, GOOD]))
    assert sorted(counted, key=str) == [("en", "red dress", 2), (None, None, 1)]


def test_odd_lines_that_are_events_are_read() -> None:
    """Numbers as sessions, times with and without zone, more fields, a byte order mark, a carriage
    return."""
    event = read_line(
        b"\xef\xbb\xbf" + said(session="42", time='"2026-11-20T10:00:00"', more="[[{}]]") + b"\r"
    )
    assert event is not None
    assert (event.session, event.time) == ("42", datetime(2026, 11, 20, 10, tzinfo=UTC))
    other = read_line(said(time='"2026-11-20T18:00:00+08:00"'))
    assert other is not None
    assert other.time == event.time


def test_only_a_line_feed_ends_a_line() -> None:
    """A query may hold every other separator as it is."""
    counted = sums_of(said(query='"red\u2028dress\u0085"'))
    assert counted == [("en", "red dress", 1)]


def test_an_object_without_lines_is_no_error() -> None:
    """A server that nobody asked writes one too."""
    assert sums_of(b"", b"\n \n", gzip.compress(b"")) == []


def test_a_line_of_any_length_is_one_line() -> None:
    """Over blocks of the stream, at the end of it and between good ones; empty ones do not
    count."""
    long = b"x" * (3 * 1024 * 1024)
    assert list(lines(io.BytesIO(b"\n".join([b"a", long, b"b", b" ", b"", long])))) == [
        b"a",
        None,
        b"b",
        None,
    ]
    assert list(lines(io.BytesIO(b"x" * LONGEST_LINE))) == [b"x" * LONGEST_LINE]
    assert list(lines(io.BytesIO(b"x" * (LONGEST_LINE + 1)))) == [None]


def test_a_gzipped_log_is_read_and_a_broken_one_up_to_where_it_breaks() -> None:
    """By what it holds, not by its name; in several members, as appending makes them."""
    packed = gzip.compress(GOOD + b"\n")
    assert sums_of(packed + packed) == [("en", "red dress", 2)]
    assert (None, None, 1) in sums_of(packed[:-9])
    assert sums_of(b"\x1f\x8bnonsense") == [(None, None, 1)]


def test_what_is_no_person_s_words_counts_for_the_session_alone() -> None:
    """It is how robots are known."""
    assert [words(typed) for typed in ("Red  DRESS", "12345", "a", "\x1b[31m", "x" * 500)] == [
        "red dress",
        *[None] * 4,
    ]
    assert sums_of(said(query='"https://spam.example"') + b"\n" + said(query='"42"')) == [
        (None, None, 2)
    ]


@pytest.mark.parametrize(
    ("key", "day"),
    [
        ("queries/2026-11-20.jsonl", datetime(2026, 11, 20, tzinfo=UTC)),
        ("queries/dt=2026-11-20/14/part-0.gz", datetime(2026, 11, 20, tzinfo=UTC)),
        ("queries/2026/11/20/14/a.gz", datetime(2026, 11, 20, tzinfo=UTC)),
        ("queries/20261120T14.jsonl", datetime(2026, 11, 20, tzinfo=UTC)),
        ("queries/2019-01-01-moved/2026-11-20.jsonl", datetime(2026, 11, 20, tzinfo=UTC)),
        ("queries/2026-13-45.jsonl", None),
        ("queries/all.jsonl", None),
    ],
)
def test_the_day_that_a_key_names(key: str, day: datetime | None) -> None:
    """The last of several."""
    assert named_day(key, QueryLog().day_pattern) == day
    assert named_day(key, "") is None


def test_objects_older_than_the_window_are_not_read() -> None:
    """By the day in the key, or else by when the object was last changed; the window ends with the
    youngest."""

    def ref(key: str, days_ago: float) -> ObjectRef:
        moment = NOW - timedelta(days=days_ago)
        return ObjectRef(bucket="logs", key=key, etag="e", size=1, last_modified=moment)

    found = [
        ref("2020-01-01", 0),  # copied here today
        ref("2026-11-19", 1),
        ref("2099-01-01", -3),  # a clock that is wrong is taken for now
        ref("2026-10-12", 39),
        ref("2026-09-01", 0),
        ref("old", 43),
        ref("new", 41),
    ]
    matter, _, old = objects_that_matter(found, QueryLog(), NOW)
    assert [one.key for one in matter] == ["2026-10-12", "2026-11-19", "2099-01-01", "new"]
    assert old == 3
    assert len(objects_that_matter(found, QueryLog(day_pattern=""), NOW)[0]) == 6
    alone, _, _ = objects_that_matter([ref("2020-01-01", 0), ref("2019-12-31", 0)], QueryLog(), NOW)
    assert len(alone) == 2


def test_an_object_is_read_once_ever(tmp_path: Path) -> None:
    """The next night reads what is new or changed, and the sums of the others."""
    store, work = Reader(), MemoryStore("work")
    for day in (18, 19):
        store.put(f"queries/2026-11-{day}.jsonl", GOOD)
    first = fetch(store, work, tmp_path)
    assert (first.read, sorted(store.read)) == (
        2,
        ["queries/2026-11-18.jsonl", "queries/2026-11-19.jsonl"],
    )
    store.read.clear()
    store.put("queries/2026-11-19.jsonl", GOOD + b"\n" + GOOD)
    store.put("queries/2026-11-20.jsonl", GOOD)
    store.read.clear()
    second = fetch(store, work, tmp_path)
    assert (second.read, len(second.files)) == (2, 3)
    assert sorted(store.read) == ["queries/2026-11-19.jsonl", "queries/2026-11-20.jsonl"]


def test_another_cleaning_reads_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of two cleanings would not add up."""
    store, work = Reader(), MemoryStore("work")
    store.put("queries/a", GOOD)
    fetch(store, work, tmp_path)
    monkeypatch.setattr(query_log, "CLEANING", "other")
    assert fetch(store, work, tmp_path).read == 1


def test_sums_that_left_the_window_go(tmp_path: Path) -> None:
    """The work bucket holds a window of them; those that are used stay, however old."""
    store, work = MemoryStore("logs"), MemoryStore("work")
    store.put("queries/a", GOOD)
    work.put("query_log/x/old.parquet", b"")
    fetch(store, work, tmp_path)
    assert len(list(work.list("query_log/"))) == 2
    later = datetime.now(UTC) + timedelta(days=50)
    old = [found for found in store.list() if found.key == "queries/a"]

    class Aged(MemoryStore):
        def list(self, prefix: str = "") -> object:  # type: ignore[override]
            young = ObjectRef(bucket="logs", key="queries/b", etag="b", size=1, last_modified=later)
            return iter([*old, young])

    fetch(Aged("logs"), work, tmp_path, now=later)
    assert list(work.list("query_log/")) == []


def test_an_object_that_changes_or_goes_while_it_is_read(tmp_path: Path) -> None:
    """The new version is read under its own name; what is gone is nothing; what never rests is
    tried later."""

    class Late(MemoryStore):
        def list(self, prefix: str = "") -> object:  # type: ignore[override]
            found = list(super().list(prefix))
            self.put("queries/changed", GOOD + b"\n" + GOOD)
            self.delete("queries/gone")
            return iter(found)

    store, work = Late("logs"), MemoryStore("work")
    for name in ("changed", "gone"):
        store.put(f"queries/{name}", GOOD)
    sums = fetch(store, work, tmp_path)
    assert (len(sums.files), sums.read) == (1, 1)
    assert fetch(store, work, tmp_path).read == 0

    class Restless(MemoryStore):
        def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
            self.put(key, (super().get(key) or b"") + GOOD)
            return super().get(key, if_match=if_match)

    restless = Restless("logs")
    restless.put("queries/a", GOOD)
    with pytest.raises(TryLater, match="queries/a"):
        fetch(restless, work, tmp_path)
