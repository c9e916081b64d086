"""The one loop. A stage of a shard is: skip if my report with my fingerprint is there; else do it,
write the outputs, write the report last. Retry, crash, backfill and re-run are then the same
thing."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import structlog

from mmsearch_core.codec import to_json
from mmsearch_core.errors import (
    BadRecord,
    FailedBefore,
    KilledTheWorker,
    ModelMismatch,
    SourceChanged,
    StageMissing,
    TooManyFailures,
)
from mmsearch_core.layout import file_key, lease_key, report_key
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.recipe import Fingerprint
from mmsearch_core.records.report import Failure, ShardReport
from mmsearch_core.settings import Shards
from mmsearch_core.shards.lease import ShardLease
from mmsearch_core.shards.shard import Shard, read_plan
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage, Tally

# what says nothing of the environment: the object changed meanwhile, or an earlier stage had failed
# on it
NOT_COUNTED = (SourceChanged.__name__, FailedBefore.__name__)

log = structlog.get_logger()


def run_stage(
    stage: Stage[Any], path: str, *, store: ObjectStore, settings: Shards
) -> tuple[ShardReport, bool]:
    """Do the stage on the shard, unless it is done; returns the report and whether it was there
    already."""
    shard = Shard(store, path)
    plan = read_plan(store, shard.batch)
    holds = _what_it_holds(plan, shard.path)
    run = stage.new_run(holds, plan)
    # what would run now is not what was planned
    if stage.recipe_of(holds) != plan.recipes.get(holds, {}).get(stage.name):
        raise not_as_planned(stage.name, plan)
    inputs = _input_digests(stage, shard)
    index = {"index": f"{plan.collection}@{plan.commit}"}
    fingerprint = str(Fingerprint(recipe=run.recipe, inputs={**inputs, **index}))
    if there := _done(stage, shard, fingerprint):
        return there, True
    key, seconds = lease_key(shard.path, stage.name), settings.lease_seconds
    with ShardLease(store, key, seconds=seconds, about=fingerprint) as lease:
        if there := _done(stage, shard, fingerprint):  # by the process that this one waited for
            return there, True
        report = replace(
            _do(stage, shard, lease, settings, run),
            fingerprint=fingerprint,
            inputs=inputs,
        )
        lease.check()
        store.put(report_key(shard.path, stage.name), to_json(report))
    log.info(
        f"{stage.name}.done", shard=path, read=report.read, failed=report.failed, **report.tally
    )
    return report, False


def not_as_planned(stage: str, plan: Plan) -> ModelMismatch:
    """The error of a stage whose recipe is another than the plan's."""
    return ModelMismatch(
        f"The model, prompt or settings of {stage} changed since batch {plan.batch} was planned:"
        " clear the run from its first task, so that it is planned again."
    )


def _what_it_holds(plan: Plan, path: str) -> str:
    """The kind of asset that the shard holds, or queries; StageMissing where the plan has no such
    shard."""
    if path not in plan.shard_kinds:
        raise StageMissing(
            f"{path} is not in the plan of batch {plan.batch}: clear the run from its first task."
        )
    return plan.shard_kinds[path]


def _input_digests(stage: Stage[Any], shard: Shard) -> dict[str, str]:
    digests = {name: sha256(shard.data(name)).hexdigest() for name in stage.reads}
    for name, writer in stage.reads.items():
        if writer == "plan":  # frozen with the plan, which is there
            continue
        report = shard.report(writer)
        if report is None or report.outputs.get(name) != digests[name]:
            raise StageMissing(
                f"{shard.path}/{name}.parquet is not finished: run the stage {writer} first."
            )
        if any(digests.get(read, digest) != digest for read, digest in report.inputs.items()):
            raise StageMissing(
                f"{shard.path} was planned again after {writer} had run: clear the run from"
                f" {writer}."
            )
    return digests


def _done(stage: Stage[Any], shard: Shard, fingerprint: str) -> ShardReport | None:
    there = shard.report(stage.name)
    if there is None or there.fingerprint != fingerprint:
        return None
    for (
        name,
        digest,
    ) in there.outputs.items():  # a process that lost its lease may have written over one
        data = shard.store.get(file_key(shard.path, name))
        if data is None or sha256(data).hexdigest() != digest:
            return None
    log.info(
        f"{stage.name}.skip",
        shard=shard.path,
        reason="done before, with the same recipe and inputs",
    )
    return there


def _do(
    stage: Stage[Any], shard: Shard, lease: ShardLease, settings: Shards, run: ShardRun
) -> ShardReport:
    started = time.monotonic()
    tally = run.tally
    items = stage.items(shard, run.planned) if run.holds in stage.recipes else []
    loaded = time.monotonic()
    made: dict[str, list[Any]] = {name: [] for name in stage.writes}
    failures = []
    file_of = {kind: name for name, kind in stage.writes.items()}
    for item, outcome in _outcomes(stage, items, lease, run):
        if isinstance(outcome, BadRecord):
            kind = type(outcome).__name__
            failures.append(
                Failure(
                    record_id=stage.id_of(item), stage=stage.name, kind=kind, message=str(outcome)
                )
            )
        else:
            for record in outcome:
                made[file_of[type(record)]].append(record)
    stage.finish()
    _spend_failure_budget(stage, shard.path, failures, len(items), settings, tally)
    worked = time.monotonic()
    lease.check()
    outputs = {name: shard.write(name, made[name], kind) for name, kind in stage.writes.items()}
    outputs[f"failures/{stage.name}"] = shard.write(f"failures/{stage.name}", failures, Failure)
    return ShardReport(
        stage=stage.name,
        shard=shard.path,
        recipe=run.recipe,
        fingerprint="",  # and the inputs: the caller knows them
        inputs={},
        read=len(items),
        done=len(items) - len(failures),
        failed=len(failures),
        wrote={name: len(records) for name, records in made.items()},
        outputs=outputs,
        tally=dict(sorted(tally.items())),
        timing={
            "read_seconds": round(loaded - started, 3),
            "work_seconds": round(worked - loaded, 3),
            "write_seconds": round(time.monotonic() - worked, 3),
        },
    )


def _outcomes(
    stage: Stage[Any], items: Sequence[Any], lease: ShardLease, run: ShardRun
) -> list[tuple[Any, Outcome]]:
    """One outcome an item, in order; in caution one by one, leaving out what killed before."""
    outcomes: list[tuple[Any, Outcome]] = []
    size = 1 if lease.cautious else stage.batch
    if lease.cautious and stage.canary and items:
        # else a broken environment would have one record after the other blamed
        _check_canary(stage)
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        if lease.cautious and stage.id_of(batch[0]) in lease.note.quarantined:
            died = KilledTheWorker(
                f"The process of {stage.name} died on it more than once: look at the source."
            )
            outcomes.append((batch[0], died))
            continue
        if lease.cautious:
            lease.about_to_touch(stage.id_of(batch[0]))
        outcomes.extend(zip(batch, stage.work(batch, run), strict=True))
    if lease.cautious:
        lease.about_to_touch("")  # whoever dies from here on dies of something else
    return outcomes


def _check_canary(stage: Stage[Any]) -> None:
    failed = stage.canary() if stage.canary else None
    if failed:
        raise TooManyFailures(
            f"Processes of {stage.name} died, and a known good item fails there, with:"
            f" {failed} Nothing was charged to any record: mend the cause."
        )


def _spend_failure_budget(
    stage: Stage[Any],
    path: str,
    failures: Sequence[Failure],
    read: int,
    settings: Shards,
    tally: Tally,
) -> None:
    """TooManyFailures if more failed than the budget allows, unless a known good item is done well:
    then the failures are the records' own, however many they are."""
    failures = [failure for failure in failures if failure.kind not in NOT_COUNTED]
    if len(failures) <= max(settings.failed_at_least, settings.failed_share * read):
        return
    canary_failed = stage.canary() if stage.canary else None
    if stage.canary and canary_failed is None:
        tally["canary_well"] += 1
        log.warning(f"{stage.name}.canary_well", shard=path, failed=len(failures), read=read)
        return
    counted = Counter(failure.kind for failure in failures).most_common(3)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counted)
    also = f" So did a known good item, with: {canary_failed}" if canary_failed else ""
    mend = "mend the cause." if stage.canary else "mend the cause, or raise shards.failed_share."
    raise TooManyFailures(
        f"{len(failures)} of {read} records of {path} failed in {stage.name} ({kinds}), the first"
        f" with: {failures[0].message}{also} Nothing was charged to them: {mend}"
    )
