"""close: add the reports up, hold them against the ledger, and let the index go live."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import structlog

from mmsearch_core.codec import to_json
from mmsearch_core.errors import StageMissing, TryLater
from mmsearch_core.ports import Ledger, ObjectStore, Stores, VectorIndex
from mmsearch_core.records.asset import Asset, Change
from mmsearch_core.records.ids import AssetId, BatchId
from mmsearch_core.records.run import Plan, ShardReport, Target
from mmsearch_core.shards import Shard, read_plan

log = structlog.get_logger()

STAGES = ("decode", "describe", "embed_text", "embed_image", "upsert")


def run(*, batch: BatchId, target: Target, alias: str, stores: Stores) -> dict[str, Any]:
    """The batch's totals, as ``runs/<batch>/report.json``; fails where a report is missing or the counts disagree."""
    work, ledger = stores.work, stores.ledger
    plan = read_plan(work, batch)
    reports = [report for path in sorted(plan.shards) for report in _reports(work, path, ledger, batch)]
    totals = add_up(reports)
    settled = _settled(plan, work, ledger)
    if settled["unsettled"]:
        ledger.close_batch(batch, status="failed", counts=settled)
        raise TryLater(f"{settled['unsettled']} assets of batch {batch} changed meanwhile: run catalog_refresh again.")
    ledger.close_batch(batch, status="done", counts=settled)
    if plan.target_id == target.target_id:  # a late batch of other models changes nothing of what is searched
        go_live(target, alias, ledger, stores.index)
    made = sum(stage["calls_made"] for stage in totals.values())
    report = {
        "stage": "close",
        "batch": batch,
        "collection": plan.collection,
        "plan": dict(plan.counts),
        "assets": settled,
        "stages": totals,
        "model_calls": {"made": made, "saved": sum(stage["calls_saved"] for stage in totals.values())},
    }
    work.put(f"runs/{batch}/report.json", to_json(report))
    log.info("close.done", batch=batch, model_calls=made, **settled)
    return report


def add_up(reports: Sequence[ShardReport]) -> dict[str, Any]:
    """Totals by stage: records, calls, rows, seconds."""
    totals: dict[str, Counter[str]] = {}
    seconds: Counter[str] = Counter()
    for report in reports:
        total = totals.setdefault(report.stage, Counter(calls_made=0, calls_saved=0))
        total.update({"read": report.read, "done": report.done, "failed": report.failed, **report.tally})
        seconds[report.stage] += sum(report.timing.values())  # type: ignore[assignment]
    return {stage: {**total, "seconds": round(seconds[stage], 2)} for stage, total in totals.items()}


def _reports(work: ObjectStore, path: str, ledger: Ledger, batch: BatchId) -> list[ShardReport]:
    shard = Shard(work, path)
    reports = [(stage, shard.report(stage)) for stage in STAGES]
    missing = [stage for stage, report in reports if report is None]
    if missing:
        ledger.close_batch(batch, status="failed", counts={})
        raise StageMissing(f"{path} has no report of {missing[0]}: look at that task's log, mend it and clear it.")
    return [report for _, report in reports if report]


def _settled(plan: Plan, work: ObjectStore, ledger: Ledger) -> dict[str, int]:
    counts = Counter(live=0, failed=0, removed=0, unsettled=0)
    for path in sorted(plan.shards):
        changes = Shard(work, path).read("changes", Change)
        known = ledger.look_up(plan.target_id, [AssetId(change.asset_id) for change in changes])
        for change in changes:
            was = known.get(change.asset_id)
            unknown = "unsettled" if isinstance(change, Asset) else "removed"
            state = was.state if was else unknown
            counts["unsettled" if state == "writing" else state] += 1
    return dict(counts)


def go_live(target: Target, alias: str, ledger: Ledger, index: VectorIndex) -> None:
    """Point the alias at the target, unless it is so or something that was handed out for it is not done."""
    live = any(it.status == "live" for it in ledger.targets() if it.target_id == target.target_id)
    if (live and index.resolve(alias) == target.collection) or ledger.open_batches(target.target_id):
        return
    index.switch(alias, target.collection)
    ledger.go_live(target.target_id)
    log.info("close.live", alias=alias, collection=target.collection)
