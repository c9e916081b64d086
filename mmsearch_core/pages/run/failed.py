"""What a batch could not do, named as people name it: the object's key or the query, the place, the
reason, and what the object looks like."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmsearch_core.layout import pixels_key
from mmsearch_core.pages.run.thumbnails import thumbnails, thumbnails_of_strangers
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import Asset, Change, Removal
from mmsearch_core.records.query import PopularQuery
from mmsearch_core.records.ranking import Candidate
from mmsearch_core.records.report import Failure, ShardReport
from mmsearch_core.records.segment import Segment, Whole
from mmsearch_core.shards.shard import Shard

LISTED = 200  # failures on a page; all are counted, and all are in the shards' files
PICTURED = 48
MOST_BYTES = 20_000_000  # of a source that is opened for its thumbnail


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """One failure. ``pixels`` is the key of its normalised picture, ``source`` that of an object
    still to be opened."""

    name: str
    where: str
    failure: Failure
    pixels: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRow:
    """One failure as a page shows it; ``picture`` names its thumbnail, if there is one."""

    name: str
    where: str
    stage: str
    kind: str
    message: str
    picture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """How many failures have the same stage and kind."""

    stage: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What a batch could not do: how many in all, by reason, and some of them."""

    total: int
    by_reason: tuple[Reason, ...]
    listed: tuple[FailedRow, ...]


def of_assets(shard: Shard, reports: Sequence[ShardReport]) -> list[Failed]:
    """The failures of a shard of the index line: for each place in an asset the first stage that
    failed says why."""
    failures = _failures(shard, reports)
    if not failures:
        return []
    changes: dict[str, Change] = {
        change.asset_id: change for change in shard.read("changes", Change)
    }
    read = any(report.stage == "decode" for report in reports)
    segments: dict[str, Segment] = {
        segment.segment_id: segment for segment in (shard.read("segments", Segment) if read else ())
    }
    found: dict[tuple[str, str], Failed] = {}
    for failure in failures:
        failed = _of_segment(failure, segments, changes) or _of_asset(failure, changes)
        told = any(name == failed.name for name, _ in found) if failure.stage == "upsert" else False
        if not told:
            found.setdefault((failed.name, failed.where), failed)
    return list(found.values())


def of_queries(shard: Shard, reports: Sequence[ShardReport]) -> list[Failed]:
    """The failures of a shard of the search line."""
    failures = _failures(shard, reports)
    if not failures:
        return []
    texts: dict[str, str] = {
        query.query_key: query.text for query in shard.read("popular", PopularQuery)
    }
    retrieved = any(report.stage == "retrieve" for report in reports)
    pairs = {
        f"{found.query_key}/{found.product_id}": found
        for found in (shard.read("candidates", Candidate) if retrieved else ())
    }
    return [_of_query(failure, texts, pairs) for failure in failures]


def listed(
    failures: Sequence[Failed], *, work: ObjectStore, catalog: ObjectStore
) -> tuple[Failures, dict[str, bytes]]:
    """What a page says of them, and the thumbnails that it names."""
    reasons = Counter((one.failure.stage, one.failure.kind) for one in failures)
    shown = failures[:LISTED]
    pictured = [one for one in shown if one.pixels or one.source][:PICTURED]
    small = thumbnails(_read(work, [one.pixels for one in pictured if one.pixels]))
    sources = [one.source for one in pictured if one.source]
    if sources:
        small |= thumbnails_of_strangers(
            (key, data) for key in sources if (data := catalog.get(key))
        )
    by_reason = [
        Reason(stage=stage, kind=kind, count=count)
        for (stage, kind), count in reasons.most_common()
    ]
    rows = [_row(one) for one in shown]
    return Failures(total=len(failures), by_reason=tuple(by_reason), listed=tuple(rows)), small


def _row(one: Failed) -> FailedRow:
    return FailedRow(
        name=one.name,
        where=one.where,
        stage=one.failure.stage,
        kind=one.failure.kind,
        message=one.failure.message,
        picture=one.pixels or one.source,
    )


def _failures(shard: Shard, reports: Iterable[ShardReport]) -> list[Failure]:
    return [
        failure for report in reports if report.failed for failure in shard.failures(report.stage)
    ]


def _of_segment(
    failure: Failure, segments: Mapping[str, Segment], changes: Mapping[str, Change]
) -> Failed | None:
    segment = segments.get(failure.record_id)
    if segment is None:
        return None
    where = "" if isinstance(segment.where, Whole) else str(segment.where)
    key = _key(changes.get(segment.asset_id), failure)
    return Failed(name=key, where=where, failure=failure, pixels=pixels_key(segment.pixels))


def _of_asset(failure: Failure, changes: Mapping[str, Change]) -> Failed:
    change = changes.get(failure.record_id)
    openable = (
        isinstance(change, Asset)
        and change.kind == "picture"
        and 0 < change.source.size <= MOST_BYTES
        and failure.kind != "KilledTheWorker"
    )
    key = _key(change, failure)
    return Failed(name=key, where="", failure=failure, source=key if openable else "")


def _key(change: Change | None, failure: Failure) -> str:
    """The key of the object in the catalog; the record's id where no change is known of it."""
    if change is None:
        return failure.record_id
    return change.key if isinstance(change, Removal) else change.source.key


def _of_query(failure: Failure, texts: Mapping[str, str], pairs: Mapping[str, Candidate]) -> Failed:
    query, _, product = failure.record_id.partition("/")
    pair = pairs.get(failure.record_id)
    return Failed(
        name=texts.get(query, query),
        where=product,
        failure=failure,
        pixels=pixels_key(pair.pixels) if pair else "",
    )


def _read(store: ObjectStore, keys: Sequence[str]) -> dict[str, bytes]:
    return {key: data for key in keys if (data := store.get(key))}
