"""What the page of a run says, from what its last stage (close or publish) found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from mmsearch_core.pages.run.failed import Failures
from mmsearch_core.pages.run.night import Latest, Verdict, verdict
from mmsearch_core.pages.run.night_results import ShownQuery
from mmsearch_core.pages.run.stopped import Stopped
from mmsearch_core.records.line import INDEX, SEARCH, Step, names
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.report import (
    Check,
    CloseReport,
    ModelCalls,
    PublishReport,
    StageTotals,
    Worst,
)

KINDS = (
    "added",
    "changed",
    "redone",
    "unchanged",
    "removed",
    "withdrawn",
    "waiting_for_product",
    "failed",
)
AUDITED = {
    "index_lost": "lost",
    "index_doubled": "doubled",
    "index_altered": "altered",
    "index_ghosts": "ghosts",
}
EMPTY = 40  # queries without any hit that a page names


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The only part of the facts that differs between equal runs, in seconds."""

    seconds: float  # of all stages together
    took: float  # from the plan to the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a page says, as it lies beside the page in JSON."""

    line: Literal["index", "search"]
    title: str
    verdict: Verdict
    headline: str
    error: str | None
    source: str  # who asked for the batch
    planned_at: datetime
    made_at: datetime
    report: CloseReport | PublishReport
    checks: tuple[Check, ...]
    failures: Failures
    timing: Timing
    stopped: tuple[Stopped, ...] = ()
    # index line: what was found and what failed, by kind of asset
    kinds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # search line: the first lists, queries without any hit, and lists that became worse
    queries: tuple[ShownQuery, ...] = ()
    empty: tuple[str, ...] = ()
    worst: tuple[Worst, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A count at the head of the page; ``alarm`` colors it."""

    name: str
    count: int
    note: str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The facts with what only the page needs."""

    facts: Facts
    tiles: tuple[Tile, ...]
    notes: tuple[str, ...]  # what else is to be known of the failures
    kind_columns: tuple[str, ...]
    stage_order: tuple[str, ...]
    beside: Latest | None  # search line: the page of the index line
    foot: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a batch ended, of either line."""

    checks: Sequence[Check]
    failures: Failures
    error: Exception | None
    stopped: Sequence[Stopped] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NightLists:
    """What is shown of a night's result lists."""

    answered: int  # queries that have a hit
    empty: Sequence[str]  # some of those that have none
    first: Sequence[ShownQuery]
    worst: Sequence[Worst]


def audited(compared: Mapping[str, int]) -> str:
    """One line on what the comparison behind a batch found when it held the index against the
    ledger; "" if it did not."""
    if "index_rows" not in compared:
        return ""
    rows, reread = compared["index_rows"], compared.get("index_reread", 0)
    found = [f"{compared[name]} {what}" for name, what in AUDITED.items() if compared.get(name)]
    number = sum(compared.get(name, 0) for name in AUDITED)
    left = compared.get("index_ghosts_left", 0)
    told = _number(number, "difference") + (
        f" ({', '.join(found)}), mended by this night's batches" if found else ""
    )
    unasked = (
        f"; {left} rows of assets that the ledger does not know were left: is it the right one?"
        if left
        else ""
    )
    return f"{_number(rows, 'row')}, {reread} of them read back: {told}{unasked}"


def of_index(
    report: CloseReport,
    *,
    plan: Plan,
    settled: Mapping[str, Mapping[str, int]],
    ended: Ended,
) -> Shown:
    """The page of one batch of the index line; ``settled`` counts what became of its assets, by
    kind."""
    kinds = _kinds(plan, settled)
    named: set[str] = set().union(*kinds.values())
    columns = [name for name in KINDS if name in named]
    failed = ended.failures.total
    done = f"{_headline(report.assets, failed)} {report.switch_waits}".strip()
    facts = replace(_facts(report, plan, ended, done), kinds=kinds)
    foot = (f"batch {plan.batch}", plan.source or "by hand", f"collection {plan.collection}")
    return Shown(
        facts=facts,
        tiles=tuple(_index_tiles(report, plan)),
        notes=_notes(report.stages),
        kind_columns=tuple(columns),
        stage_order=_ran(INDEX, report.stages),
        beside=None,
        foot=(*foot, _versions(plan)),
    )


def of_search(
    report: PublishReport,
    *,
    plan: Plan,
    lists: NightLists,
    ended: Ended,
    beside: Latest | None,
) -> Shown:
    """The page of one batch of the search line; ``beside`` is the page of the index line."""
    failed = ended.failures.total
    done = f"{_published(report)}{_to_look_at(failed)}"
    facts = replace(
        _facts(report, plan, ended, done),
        queries=tuple(lists.first),
        empty=tuple(lists.empty[:EMPTY]),
        worst=tuple(lists.worst),
    )
    without = report.queries - lists.answered
    tiles = (
        Tile(name="popular queries", count=sum(plan.shards.values())),
        Tile(name="with results", count=lists.answered),
        Tile(name="without any", count=without, alarm=bool(without)),
        Tile(name="hits", count=report.hits),
        _failed(failed),
        *_calls(report.model_calls),
    )
    foot = (f"batch {plan.batch}", f"generation {report.generation or 'none'}")
    return Shown(
        facts=facts,
        tiles=tiles,
        notes=_notes(report.stages),
        kind_columns=(),
        stage_order=_ran(SEARCH, report.stages),
        beside=beside,
        foot=(*foot, _versions(plan)),
    )


def _facts(report: CloseReport | PublishReport, plan: Plan, ended: Ended, done: str) -> Facts:
    """What the pages of both lines say; ``done`` is the headline of a batch that has no error."""
    error = ended.error
    return Facts(
        line=plan.line,
        title=f"{plan.line.capitalize()} line",
        verdict=verdict(ended.checks, failed=ended.failures.total, error=error),
        headline=_told(error) if error else done,
        error=str(error) if error else None,
        source=plan.source,
        planned_at=plan.made_at,
        made_at=_now(),
        report=report,
        checks=tuple(ended.checks),
        failures=ended.failures,
        timing=_timing(plan, report.stages),
        stopped=tuple(ended.stopped),
    )


def _kinds(plan: Plan, settled: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """What was found and what failed, by kind of asset."""
    kinds: dict[str, dict[str, int]] = {}
    for kind, counts in plan.kinds.items():
        kinds[kind] = {name: count for name, count in counts.items() if name in KINDS}
    for kind, states in settled.items():
        kinds.setdefault(kind, {})["failed"] = states.get("failed", 0)
    return kinds


def _index_tiles(report: CloseReport, plan: Plan) -> list[Tile]:
    unchanged = plan.compared.get("unchanged", plan.counts.get("unchanged", 0))
    tiles = [
        Tile(name="added", count=plan.counts.get("added", 0)),
        Tile(name="changed", count=plan.counts.get("changed", 0)),
        Tile(name="removed", count=report.assets["removed"]),
        Tile(name="unchanged", count=unchanged, note="in the whole catalog"),
    ]
    waiting = plan.counts.get("waiting_for_product", 0)
    if waiting:
        tiles.append(Tile(name="waiting", count=waiting, note="for a line in the feed"))
    tiles += [_failed(report.assets["failed"]), *_calls(report.model_calls)]
    mended = sum(plan.compared.get(name, 0) for name in AUDITED)
    if mended:
        note = "between index and ledger"
        tiles.append(Tile(name="differences", count=mended, note=note, alarm=True))
    return tiles


def _failed(count: int) -> Tile:
    return Tile(name="failed", count=count, alarm=bool(count))


def _calls(calls: ModelCalls) -> list[Tile]:
    asked = calls.made + calls.saved
    share = f"{100 * calls.saved / asked:.0f} % of what was asked" if asked else ""
    return [
        Tile(name="model calls", count=calls.made),
        Tile(name="calls saved", count=calls.saved, note=share),
    ]


def _notes(stages: Mapping[str, StageTotals]) -> tuple[str, ...]:
    notes = []
    for stage, total in stages.items():
        shards = total.tally.get("canary_well", 0)
        if shards:
            notes.append(
                f"More of a shard failed in {stage} than shards.failed_share allows, yet a known"
                f" good item was done well there ({_number(shards, 'shard')}): the failures are of"
                " these records."
            )
    return tuple(notes)


def _ran(line: tuple[Step, ...], stages: Mapping[str, StageTotals]) -> tuple[str, ...]:
    """The stages that have run, in their order."""
    return tuple(name for name in names(line) if name in stages)


def _timing(plan: Plan, stages: Mapping[str, StageTotals]) -> Timing:
    took = (datetime.now(UTC) - plan.made_at).total_seconds()
    seconds = sum(stage.seconds for stage in stages.values())
    return Timing(seconds=seconds, took=max(0.0, round(took, 1)))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _headline(assets: Mapping[str, int], failed: int) -> str:
    verbs = {"live": "indexed", "removed": "removed", "superseded": "settled by a later batch"}
    parts = [
        f"{_number(assets[state], 'asset')} {verb}"
        for state, verb in verbs.items()
        if assets.get(state)
    ]
    if not parts and not failed:
        return "Good: nothing had changed."
    return (
        f"{'Done' if failed else 'Good'}:"
        f" {', '.join(parts) or 'nothing indexed'}.{_to_look_at(failed)}"
    )


def _published(report: PublishReport) -> str:
    if not report.published:
        return "Nothing to publish: the results are those of yesterday."
    queries = _number(report.queries, "query", "queries")
    return f"Published: {queries}, {_number(report.hits, 'hit')}."


def _to_look_at(failed: int) -> str:
    return f" {_number(failed, 'failure')} to look at." if failed else ""


def _told(error: Exception) -> str:
    return f"Not done: {error}"


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,}".replace(",", "\u202f") + f" {one if count == 1 else many or one + 's'}"


def _versions(plan: Plan) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(plan.versions.items()))
