"""The one loop. A stage of a shard is: skip if my report with my fingerprint is there; else do it,
write the outputs, write the report last. Retry, crash, backfill and re-run are then the same
thing."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Generic, TypeVar

import structlog

from mmsearch_core.codec import dump, from_json, load, to_json
from mmsearch_core.errors import (
    BadRecord,
    FailedBefore,
    KilledTheWorker,
    ModelMismatch,
    SourceChanged,
    StageMissing,
    TooManyFailures,
)
from mmsearch_core.ports import ObjectStore
from mmsearch_core.records.run import Failure, Fingerprint, Plan, Recipe, ShardReport
from mmsearch_core.settings import Shards
from mmsearch_core.shard_lease import ShardLease

In = TypeVar("In")
Outcome = Sequence[Any] | BadRecord  # the records made of one input, or why there are none
Tally = Counter[str]  # what a stage wants counted: calls_made, calls_saved, rows_written, …

# what says nothing of the environment: the object changed meanwhile, or an earlier stage had failed
# on it
NOT_COUNTED = (SourceChanged.__name__, FailedBefore.__name__)

log = structlog.get_logger()


def plan_key(batch: str) -> str:
    """Where a batch's frozen plan lies."""
    return f"runs/{batch}/plan.json"


def shard_path(batch: str, number: int) -> str:
    """The folder of a batch's shard."""
    return f"runs/{batch}/shards/{number:05}"


def shard_size(records: int, *, least: int, most_shards: int) -> int:
    """Records per shard: ``least``, or more where that would make more than ``most_shards`` shards,
    each of which is a mapped task of Airflow for every stage."""
    return max(least, -(-records // most_shards))


def lease_key(shard: str, stage: str) -> str:
    """Where the lease of a stage of a shard lies."""
    return f"{shard}/leases/{stage}.json"


def find_plan(store: ObjectStore, batch: str) -> Plan | None:
    """The frozen plan of a batch, if it was planned."""
    data = store.get(plan_key(batch))
    return from_json(data, Plan) if data else None


def read_plan(store: ObjectStore, batch: str) -> Plan:
    """The frozen plan of a batch; StageMissing if it was not planned."""
    plan = find_plan(store, batch)
    if plan is None:
        raise StageMissing(f"Batch {batch} has no plan: run the plan (or mine) stage first.")
    return plan


class Shard:
    """A folder of work in the store: one Parquet file a kind of record, reports beside them."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        self.store, self.path = store, path.rstrip("/")
        parts = self.path.split("/")
        if len(parts) != 4 or (parts[0], parts[2]) != ("runs", "shards"):
            raise StageMissing(f"{path} is not a shard: name one like runs/<batch>/shards/00000.")
        self.batch = parts[1]
        self._files: dict[str, bytes] = {}

    def data(self, name: str) -> bytes:
        """The bytes of a file of the shard; StageMissing if it is not there."""
        if name not in self._files:
            found = self.store.get(f"{self.path}/{name}.parquet")
            if found is None:
                raise StageMissing(
                    f"{self.path}/{name}.parquet is missing: run the stage that writes it first."
                )
            self._files[name] = found
        return self._files[name]

    def read(self, name: str, record_type: Any) -> list[Any]:
        """The records of a file."""
        return load(self.data(name), record_type)

    def write(self, name: str, records: Sequence[Any], record_type: Any) -> str:
        """Write a file; returns the sha256 of its bytes."""
        data = dump(records, record_type)
        self.store.put(f"{self.path}/{name}.parquet", data)
        self._files[name] = data
        return sha256(data).hexdigest()

    def report(self, stage: str) -> ShardReport | None:
        """The stage's report, if it has finished here."""
        data = self.store.get(f"{self.path}/reports/{stage}.json")
        return from_json(data, ShardReport) if data else None

    def failures(self, stage: str) -> list[Failure]:
        """What the stage could not do."""
        return self.read(f"failures/{stage}", Failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[In]):
    """What a stage is, apart from the loop. ``reads`` names each input file and the stage that
    writes it; ``writes`` names each output file and its record type, a different one each; ``work``
    answers a batch with one outcome an item, in order; ``finish`` is called once, when all are
    answered. ``canary`` does a known good item in the same way, not through the memo, and answers
    why it failed or None: it is asked when so many records failed that the cause may be the
    environment."""

    recipe: Recipe
    reads: Mapping[str, str]
    writes: Mapping[str, Any]
    items: Callable[[Shard], Sequence[In]]
    id_of: Callable[[In], str]
    work: Callable[[Sequence[In], Tally], Sequence[Outcome]]
    batch: int
    finish: Callable[[], None] = lambda: None
    canary: Callable[[], BadRecord | None] | None = None

    @property
    def name(self) -> str:
        """The stage's one name."""
        return self.recipe.stage


def run_stage(
    stage: Stage[Any], path: str, *, store: ObjectStore, settings: Shards
) -> tuple[ShardReport, bool]:
    """Do the stage on the shard, unless it is done; returns the report and whether it was there
    already."""
    shard = Shard(store, path)
    plan = read_plan(store, shard.batch)
    check_recipe(stage.recipe, plan)
    inputs = _input_digests(stage, shard)
    index = {"index": f"{plan.collection}@{plan.commit}"}
    fingerprint = str(Fingerprint(recipe=stage.recipe.recipe_id, inputs={**inputs, **index}))
    if there := _done(stage, shard, fingerprint):
        return there, True
    key, seconds = lease_key(shard.path, stage.name), settings.lease_seconds
    with ShardLease(store, key, seconds=seconds, about=fingerprint) as lease:
        if there := _done(stage, shard, fingerprint):  # by the process that this one waited for
            return there, True
        report = replace(_do(stage, shard, lease, settings), fingerprint=fingerprint, inputs=inputs)
        lease.check()
        store.put(f"{shard.path}/reports/{stage.name}.json", to_json(report))
    log.info(
        f"{stage.name}.done", shard=path, read=report.read, failed=report.failed, **report.tally
    )
    return report, False


def check_recipe(recipe: Recipe, plan: Plan) -> None:
    """ModelMismatch if what would run now is not what was planned."""
    if plan.recipes.get(recipe.stage) != recipe.recipe_id:
        raise ModelMismatch(
            f"The model, prompt or settings of {recipe.stage} changed since batch {plan.batch} was"
            " planned: clear the run from its first task, so that it is planned again."
        )


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
        data = shard.store.get(f"{shard.path}/{name}.parquet")
        if data is None or sha256(data).hexdigest() != digest:
            return None
    log.info(
        f"{stage.name}.skip",
        shard=shard.path,
        reason="done before, with the same recipe and inputs",
    )
    return there


def _do(stage: Stage[Any], shard: Shard, lease: ShardLease, settings: Shards) -> ShardReport:
    started = time.monotonic()
    tally: Tally = Counter()
    items = stage.items(shard)
    loaded = time.monotonic()
    made: dict[str, list[Any]] = {name: [] for name in stage.writes}
    failures = []
    file_of = {kind: name for name, kind in stage.writes.items()}
    for item, outcome in _outcomes(stage, items, lease, tally):
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
        recipe=stage.recipe.recipe_id,
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
    stage: Stage[Any], items: Sequence[Any], lease: ShardLease, tally: Tally
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
        outcomes.extend(zip(batch, stage.work(batch, tally), strict=True))
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
    kinds = ", ".join(
        f"{count} {kind}" for kind, count in Counter(f.kind for f in failures).most_common(3)
    )
    also = f" So did a known good item, with: {canary_failed}" if canary_failed else ""
    mend = "mend the cause." if stage.canary else "mend the cause, or raise shards.failed_share."
    raise TooManyFailures(
        f"{len(failures)} of {read} records of {path} failed in {stage.name} ({kinds}), the first"
        f" with: {failures[0].message}{also} Nothing was charged to them: {mend}"
    )
