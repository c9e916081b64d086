"""close: add the reports up, hold them against the ledger, let the index go live, and write the
run's page."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from more_itertools import flatten

from mmsearch_core.catalog.look import look
from mmsearch_core.catalog.manifest import read_manifest
from mmsearch_core.errors import StageMissing, StopEverything, TryLater
from mmsearch_core.media import kind_of
from mmsearch_core.pages.run import facts as run_facts
from mmsearch_core.pages.run import failed, stopped
from mmsearch_core.pages.run import page as run_page
from mmsearch_core.pages.run.stopped import Stopped
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.asset import Asset, Change, Removal
from mmsearch_core.records.commit import Known
from mmsearch_core.records.ids import AssetId, BatchId
from mmsearch_core.records.line import INDEX, names
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.report import Check, CloseReport, ShardReport
from mmsearch_core.records.target import Target
from mmsearch_core.serving.withdraw import withdraw
from mmsearch_core.settings import Index
from mmsearch_core.shards import pace
from mmsearch_core.shards.shard import Shard, find_plan
from mmsearch_core.shards.targets import of_plan
from mmsearch_core.shards.totals import add_up, model_calls
from mmsearch_core.stages.index.switch import go_live

log = structlog.get_logger()

STAGES = names(INDEX)
# and "superseded", "waiting_for_product" where there are any
STATES = (
    "live",
    "failed",
    "removed",
    "unsettled",
)
LOOKERS = 16
Reports = Mapping[str, Sequence[ShardReport]]  # by shard


def run(*, batch: BatchId, target: Target, stores: Stores, settings: Index) -> CloseReport:
    """The batch's totals; fails where a report is missing or the counts disagree. Either way it is
    on the page. Only a batch of ``target``, which is that of today's settings, may change what is
    searched."""
    work, ledger = stores.work, stores.ledger
    if ledger.batch_status(batch) == "superseded":
        return _superseded(batch)
    plan = find_plan(work, batch) or _nothing_planned(batch, target, work)
    planned = of_plan(plan, stores)
    reports = {path: _reports(Shard(work, path)) for path in sorted(plan.shards)}
    settled = _settled(plan, stores)
    counts = dict.fromkeys(STATES, 0) | dict(sum(settled.values(), Counter()))
    checks = _checks(plan, reports, counts)
    reasons = _stopped(plan, reports, work)
    error = _error(plan, reports, counts, checks, reasons)
    ledger.close_batch(batch, status="failed" if error else "done", counts=counts)
    withdraw(work, ledger)
    # a late batch of other models, or a part of the catalog, changes nothing of what is searched
    whole = not error and plan.target_id == target.target_id and not plan.partial
    waits = go_live(planned, stores, settings) if whole else ""
    pace.remember(work, plan, reports)
    totals = add_up(list(flatten(reports.values())))
    report = CloseReport(
        batch=batch,
        collection=plan.collection,
        plan=plan.counts,
        assets=counts,
        stages=totals,
        model_calls=model_calls(totals),
        switch_waits=waits,
    )
    failures: list[failed.Failed] = []
    for path, found in reports.items():
        failures += failed.of_assets(Shard(work, path), found)
    listed, pictures = failed.listed(failures, work=work, catalog=stores.catalog)
    shown = run_facts.of_index(
        report,
        plan=plan,
        settled=settled,
        ended=run_facts.Ended(checks=checks, failures=listed, error=error, stopped=reasons),
    )
    page = run_page.write(work, shown, pictures)
    log.info("close.done", batch=batch, page=page, model_calls=report.model_calls.made, **counts)
    if error:
        raise type(error)(f"{error} See {page}")
    return replace(report, page=page)


def _superseded(batch: BatchId) -> CloseReport:
    """The report of a batch whose work a later comparison handed out again: whatever became of it
    is well."""
    log.info("close.superseded", batch=batch)
    return CloseReport(
        batch=batch,
        superseded=True,
        assets=dict.fromkeys(STATES, 0),
        model_calls=model_calls({}),
    )


def _reports(shard: Shard) -> list[ShardReport]:
    return [report for stage in STAGES if (report := shard.report(stage))]


def _checks(plan: Plan, reports: Reports, counts: Mapping[str, int]) -> list[Check]:
    there = sum(len(found) for found in reports.values())
    expected = len(STAGES) * len(plan.shards)
    planned = sum(plan.shards.values())
    read = rows = written = 0
    for report in flatten(reports.values()):
        if report.stage == "upsert":
            read += report.read
            rows += report.tally.get("rows_live", 0)
            written += report.tally.get("rows_written", 0)
    known = sum(count for state, count in counts.items() if state != "unsettled")
    audited = run_facts.audited(plan.compared)
    same = (
        [Check(name="The index was held against the ledger", held=True, found=audited)]
        if audited
        else []
    )
    return [
        Check(
            name="Every stage reported",
            held=there == expected,
            found=f"{there} of {expected} reports",
        ),
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


def _nothing_planned(batch: BatchId, target: Target, work: ObjectStore) -> Plan:
    """A batch that was asked for and that the plan stage failed at; StageMissing where nobody asked
    for it."""
    manifest = read_manifest(work, batch)
    return Plan(
        batch=batch,
        line="index",
        target_id=target.target_id,
        collection=target.collection,
        made_at=datetime.now(UTC),
        commit=0,
        recipes={},
        shards={},
        counts={},
        versions={},
        source=manifest.source,
        partial=manifest.partial,
    )


def _stopped(plan: Plan, reports: Reports, work: ObjectStore) -> list[Stopped]:
    """Why stages that have no report did not finish; the plan itself, where there is none."""
    if not plan.recipes:
        return [stopped.of_batch(work, plan.batch, "plan")]
    return stopped.stopped(work, _missing(reports))


def _missing(reports: Reports) -> dict[str, list[str]]:
    """The stages without a report, by shard; shards of which every stage reported are left out."""
    missing: dict[str, list[str]] = {}
    for path, found in reports.items():
        reported = {report.stage for report in found}
        absent = [stage for stage in STAGES if stage not in reported]
        if absent:
            missing[path] = absent
    return missing


def _error(
    plan: Plan,
    reports: Reports,
    counts: Mapping[str, int],
    checks: Sequence[Check],
    reasons: Sequence[Stopped],
) -> StageMissing | TryLater | StopEverything | None:
    if reasons:
        return StageMissing(stopped.headline(reasons, len(_missing(reports))))
    if counts["unsettled"]:
        changed = (
            f"{counts['unsettled']} of {sum(counts.values())} assets of batch {plan.batch} changed"
            " meanwhile"
        )
        return TryLater(f"{changed}: run catalog_refresh again.")
    broken = [check for check in checks if not check.held]
    if broken:
        return StopEverything(
            f"{broken[0].name}: no ({broken[0].found}). Clear batch {plan.batch} from its plan."
        )
    return None


def _settled(plan: Plan, stores: Stores) -> dict[str, Counter[str]]:
    """What became of the assets, by kind."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for path in sorted(plan.shards):
        changes = Shard(stores.work, path).read("changes", Change)
        known = stores.ledger.look_up(
            plan.target_id, [AssetId(change.asset_id) for change in changes]
        )
        forgotten = [
            change
            for change in changes
            if isinstance(change, Asset) and change.asset_id not in known
        ]
        gone = _gone(forgotten, stores.catalog)
        for change in changes:
            state = _state(change, known.get(change.asset_id), plan, gone)
            counts[kind_of(_key(change))][state] += 1
    return counts


def _state(change: Change, was: Known | None, plan: Plan, gone: Collection[AssetId]) -> str:
    """What became of one change. "superseded": a batch that saw the object later has settled it, so
    that index and bucket agree; "unsettled": nobody has."""
    if was is None:
        if not isinstance(change, Asset):
            return "removed"
        return "superseded" if change.asset_id in gone else "unsettled"
    if was.state == "writing":
        return "unsettled"
    if was.state == "waiting_for_product":
        return "superseded" if isinstance(change, Asset) else was.state
    later = was.observed_at is not None and was.observed_at > plan.made_at
    return "superseded" if later else was.state


def _gone(assets: Sequence[Asset], catalog: ObjectStore) -> set[AssetId]:
    """Those that are not in the bucket any more: another batch saw that, and removed them."""
    with ThreadPoolExecutor(LOOKERS) as lookers:
        there = list(lookers.map(lambda asset: look(catalog, asset.source.key), assets))
    return {asset.asset_id for asset, found in zip(assets, there, strict=True) if found is None}


def _key(change: Change) -> str:
    return change.key if isinstance(change, Removal) else change.source.key
