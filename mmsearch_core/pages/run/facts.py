"""What the page of a run says, from what its last stage (close or publish) found."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from mmsearch_core.pages.run import page as run_page
from mmsearch_core.pages.run.page import Check
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.line import INDEX, SEARCH, names
from mmsearch_core.records.plan import Plan

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


def model_calls(stages: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Calls made, and saved by the memo."""
    return {
        "made": sum(stage["calls_made"] for stage in stages.values()),
        "saved": sum(stage["calls_saved"] for stage in stages.values()),
    }


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
    report: Mapping[str, Any],
    *,
    plan: Plan,
    settled: Mapping[str, Mapping[str, int]],
    checks: Sequence[Check],
    failures: Mapping[str, Any],
    error: Exception | None,
) -> dict[str, Any]:
    """The facts of one batch of the index line; ``settled`` counts what became of its assets, by
    kind."""
    kinds = {
        kind: {name: count for name, count in plan.kinds.get(kind, {}).items() if name in KINDS}
        for kind in plan.kinds
    }
    for kind, states in settled.items():
        kinds.setdefault(kind, {})["failed"] = states.get("failed", 0)
    tiles = [
        _tile("added", plan.counts.get("added", 0)),
        _tile("changed", plan.counts.get("changed", 0)),
        _tile("removed", report["assets"]["removed"]),
        _tile(
            "unchanged",
            plan.compared.get("unchanged", plan.counts.get("unchanged", 0)),
            "in the whole catalog",
        ),
        _tile("failed", report["assets"]["failed"], alarm=bool(report["assets"]["failed"])),
        *_calls(report["model_calls"]),
    ]
    mended = sum(plan.compared.get(name, 0) for name in AUDITED)
    if mended:
        tiles.append(_tile("differences", mended, "between index and ledger", alarm=True))
    waiting = plan.counts.get("waiting_for_product", 0)
    if waiting:
        tiles.insert(4, _tile("waiting", waiting, "for a line in the feed"))
    done = " ".join(
        filter(None, [_headline(report["assets"], failures["total"]), report["switch_waits"]])
    )
    headline = _told(error) if error else done
    return {
        **_facts(report, plan, checks, failures, error),
        "title": "Index line",
        "headline": headline,
        "tiles": tiles,
        "kinds": kinds,
        "kind_columns": [
            name for name in KINDS if any(name in counts for counts in kinds.values())
        ],
        "stage_order": names(INDEX),
        "queries": [],
        "empty": [],
        "beside": None,
        "foot": [
            f"batch {plan.batch}",
            plan.source or "by hand",
            f"collection {plan.collection}",
            _versions(plan),
        ],
    }


def of_search(
    report: Mapping[str, Any],
    *,
    plan: Plan,
    checks: Sequence[Check],
    failures: Mapping[str, Any],
    error: Exception | None,
    work: ObjectStore,
) -> dict[str, Any]:
    """The facts of one batch of the search line; ``report`` has how many ``queries`` there are, how
    many of them are ``without`` any hit, some of these (``empty``), and the lists that are
    ``shown``."""
    empty, without = report["empty"], report["without"]
    tiles = [
        _tile("popular queries", sum(plan.shards.values())),
        _tile("with results", report["queries"] - without),
        _tile("without any", without, alarm=bool(without)),
        _tile("hits", report["hits"]),
        _tile("failed", failures["total"], alarm=bool(failures["total"])),
        *_calls(report["model_calls"]),
    ]
    beside = run_page.latest(work, "index")
    facts = _facts(report, plan, checks, failures, error)
    if error:
        headline = _told(error)
    elif report["published"]:
        headline = (
            f"Published: {_number(report['queries'], 'query', 'queries')},"
            f" {_number(report['hits'], 'hit')}."
        )
    else:
        headline = "Nothing to publish: the results are those of yesterday."
    return {
        **facts,
        "title": "Search line",
        "headline": headline + (_to_look_at(failures["total"]) if not error else ""),
        "tiles": tiles,
        "kinds": {},
        "kind_columns": (),
        "stage_order": names(SEARCH),
        "queries": report["shown"],
        "empty": empty[:40],
        "beside": (
            {
                "title": f"The index line last had work on {beside.made_at:%Y-%m-%d}",
                **asdict(beside),
            }
            if beside
            else None
        ),
        "foot": [
            f"batch {plan.batch}",
            f"generation {report['generation'] or 'none'}",
            _versions(plan),
        ],
    }


def _facts(
    report: Mapping[str, Any],
    plan: Plan,
    checks: Sequence[Check],
    failures: Mapping[str, Any],
    error: Exception | None,
) -> dict[str, Any]:
    line = plan.line
    return {
        **report,
        "line": line,
        "source": plan.source,
        "planned_at": plan.made_at,
        "stopped": (),
        "notes": _notes(report["stages"]),
        "verdict": run_page.verdict(checks, failed=failures["total"], error=error),
        "error": str(error) if error else None,
        "checks": checks,
        "failures": failures,
        "seconds": sum(stage["seconds"] for stage in report["stages"].values()),
        "took": max(0.0, round((datetime.now(UTC) - plan.made_at).total_seconds(), 1)),
    }


def _notes(stages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What else is to be known of the failures."""
    return [
        f"More of a shard failed in {stage} than shards.failed_share allows, yet a known good item"
        f" was done well there ({_number(total['canary_well'], 'shard')}): the failures are of"
        " these records."
        for stage, total in stages.items()
        if total.get("canary_well")
    ]


def _tile(name: str, count: int, note: str = "", *, alarm: bool = False) -> dict[str, Any]:
    return {"name": name, "count": count, "note": note, "alarm": alarm}


def _calls(calls: Mapping[str, int]) -> list[dict[str, Any]]:
    asked = calls["made"] + calls["saved"]
    saved = f"{100 * calls['saved'] / asked:.0f} % of what was asked" if asked else ""
    return [_tile("model calls", calls["made"]), _tile("calls saved", calls["saved"], saved)]


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


def _to_look_at(failed: int) -> str:
    return f" {_number(failed, 'failure')} to look at." if failed else ""


def _told(error: Exception) -> str:
    return f"Not done: {error}"


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,}".replace(",", "\u202f") + f" {one if count == 1 else many or one + 's'}"


def _versions(plan: Plan) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(plan.versions.items()))
