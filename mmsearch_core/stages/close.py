"""close: add the reports up, hold them against the ledger, let the index go live, and write the run's page."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from mmsearch_core.catalog.keys import kind_of
from mmsearch_core.errors import StageMissing, StopEverything, TryLater
from mmsearch_core.pages import failed, run_facts, run_page
from mmsearch_core.pages.run_page import Check
from mmsearch_core.ports import Ledger, ObjectStore, Stores
from mmsearch_core.records.asset import Asset, Change, Removal
from mmsearch_core.records.ids import AssetId, BatchId
from mmsearch_core.records.run import Plan, ShardReport, Target
from mmsearch_core.settings import Index
from mmsearch_core.shards import Shard, read_plan
from mmsearch_core.stages.switch import go_live

log = structlog.get_logger()

STAGES = run_facts.INDEXING
STATES = ("live", "failed", "removed", "unsettled")
Reports = Mapping[str, Sequence[ShardReport]]  # by shard


def run(*, batch: BatchId, target: Target, stores: Stores, settings: Index) -> dict[str, Any]:
    """The batch's totals; fails where a report is missing or the counts disagree. Either way it is on the page."""
    work, ledger = stores.work, stores.ledger
    plan = read_plan(work, batch)
    reports = {path: _reports(Shard(work, path)) for path in sorted(plan.shards)}
    settled = _settled(plan, work, ledger)
    counts = dict.fromkeys(STATES, 0) | dict(sum(settled.values(), Counter()))
    checks = _checks(plan, reports, counts)
    error = _error(plan, reports, counts, checks)
    ledger.close_batch(batch, status="failed" if error else "done", counts=counts)
    # a late batch of other models, or a part of the catalog, changes nothing of what is searched
    whole = not error and plan.target_id == target.target_id and not plan.partial
    waits = go_live(target, stores, settings) if whole else ""
    totals = add_up([report for found in reports.values() for report in found])
    report: dict[str, Any] = {
        "stage": "close",
        "batch": batch,
        "collection": plan.collection,
        "plan": dict(plan.counts),
        "assets": counts,
        "stages": totals,
        "model_calls": run_facts.model_calls(totals),
        "switch_waits": waits,
    }
    failures = [one for path, found in reports.items() for one in failed.of_assets(Shard(work, path), found)]
    listed, pictures = failed.listed(failures, work=work, catalog=stores.catalog)
    facts = run_facts.of_index(report, plan=plan, settled=settled, checks=checks, failures=listed, error=error)
    page = run_page.write(work, facts, pictures)
    log.info("close.done", batch=batch, page=page, model_calls=report["model_calls"]["made"], **counts)
    if error:
        raise type(error)(f"{error} See {page}")
    return report | {"page": page}


def add_up(reports: Sequence[ShardReport]) -> dict[str, Any]:
    """Totals by stage: records, calls, rows, seconds."""
    totals: dict[str, Counter[str]] = {}
    seconds: Counter[str] = Counter()
    for report in reports:
        total = totals.setdefault(report.stage, Counter(calls_made=0, calls_saved=0))
        total.update({"read": report.read, "done": report.done, "failed": report.failed, **report.tally})
        seconds[report.stage] += sum(report.timing.values())  # type: ignore[assignment]
    return {stage: {**total, "seconds": round(seconds[stage], 2)} for stage, total in totals.items()}


def _reports(shard: Shard) -> list[ShardReport]:
    return [report for stage in STAGES if (report := shard.report(stage))]


def _checks(plan: Plan, reports: Reports, counts: Mapping[str, int]) -> list[Check]:
    there = sum(len(found) for found in reports.values())
    expected = len(STAGES) * len(plan.shards)
    planned = sum(plan.shards.values())
    finished = [report for found in reports.values() for report in found if report.stage == "upsert"]
    read = sum(report.read for report in finished)
    rows = sum(report.wrote["rows"] for report in finished)
    written = sum(report.tally.get("rows_written", 0) for report in finished)
    known = sum(count for state, count in counts.items() if state != "unsettled")
    audited = run_facts.audited(plan.compared)
    same = [Check(name="The index was held against the ledger", held=True, found=audited)] if audited else []
    return [
        Check(name="Every stage reported", held=there == expected, found=f"{there} of {expected} reports"),
        Check(
            name="Every change came through",
            held=read == planned,
            found=f"{planned} planned, {read} reached the index",
        ),
        Check(
            name="The ledger agrees",
            held=known == planned,
            found=", ".join(f"{count} {state}" for state, count in counts.items()),
        ),
        Check(
            name="Every row that counts was written",
            held=rows <= written,
            found=f"{rows} rows",
        ),
        *same,
    ]


def _error(
    plan: Plan, reports: Reports, counts: Mapping[str, int], checks: Sequence[Check]
) -> StageMissing | TryLater | StopEverything | None:
    for path, found in reports.items():
        missing = [stage for stage in STAGES if stage not in {report.stage for report in found}]
        if missing:
            return StageMissing(f"{path} has no report of {missing[0]}: look at that task's log, mend it and clear it.")
    if counts["unsettled"]:
        changed = f"{counts['unsettled']} of {sum(counts.values())} assets of batch {plan.batch} changed meanwhile"
        return TryLater(f"{changed}: run catalog_refresh again.")
    broken = [check for check in checks if not check.held]
    if broken:
        return StopEverything(f"{broken[0].name}: no ({broken[0].found}). Clear batch {plan.batch} from its plan.")
    return None


def _settled(plan: Plan, work: ObjectStore, ledger: Ledger) -> dict[str, Counter[str]]:
    """What became of the assets, by kind."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for path in sorted(plan.shards):
        changes = Shard(work, path).read("changes", Change)
        known = ledger.look_up(plan.target_id, [AssetId(change.asset_id) for change in changes])
        for change in changes:
            was = known.get(change.asset_id)
            unknown = "unsettled" if isinstance(change, Asset) else "removed"
            state = was.state if was else unknown
            key = change.key if isinstance(change, Removal) else change.source.key
            counts[kind_of(key)]["unsettled" if state == "writing" else state] += 1
    return counts
