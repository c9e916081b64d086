"""publish: judgements become the lists of one generation, and one conditional write makes it
current."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from mmsearch_core.codec import to_json
from mmsearch_core.errors import HeldForApproval, PreconditionFailed, StopEverything, TryLater
from mmsearch_core.layout import bucket_key, generation_key, products_key, rows_key
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import BatchId
from mmsearch_core.records.recipe import Recipes
from mmsearch_core.records.report import PublishReport
from mmsearch_core.serving.generation import SCHEMA, Current, Generation, flip, missing_buckets
from mmsearch_core.serving.withdraw import withdraw
from mmsearch_core.settings import Search
from mmsearch_core.shards.shard import read_plan
from mmsearch_core.stages.search import gates, search_page
from mmsearch_core.stages.search.gate_measures import worse
from mmsearch_core.stages.search.gates import Parent, Verdict
from mmsearch_core.stages.search.result_lists import Lists, collect
from mmsearch_core.stages.search.search_page import Outcome

log = structlog.get_logger()

TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's word. ``seen`` is the verdict that they had in front of them; None: nobody
    approved."""

    seen: Verdict | None = None

    def covers(self, verdict: Verdict) -> bool:
        """Whether nothing that is asked now is worse than what was approved: another generation may
        have become current meanwhile."""
        return self.seen is not None and not worse(verdict.gates, self.seen.gates)


def run(
    *, batch: BatchId, work: ObjectStore, ledger: Ledger, settings: Search, approve: bool
) -> PublishReport:
    """Publish what the batch judged, unless it equals what is current; returns the task's report.

    ``approve``: a person saw ``runs/<batch>/gates.json`` and approves. Raises HeldForApproval where
    a person has to, and StopEverything where nobody can; either way the reason is on the run's
    page.
    """
    plan = read_plan(work, batch)
    approval = Approval(seen=gates.read_verdict(work, batch) if approve else None)
    with own_folder() as folder:
        lists = collect(plan, work, settings, Path(folder), rows=True)
        outcome = _try(lists, work, settings, approval)
        if outcome.published:
            withdraw(work, ledger)
        report = search_page.write(lists, outcome, work)
    log.info(
        "publish.done", batch=batch, generation=outcome.generation, published=outcome.published
    )
    if outcome.refused:
        raise type(outcome.refused)(f"{outcome.refused} See {report.page}")
    return report


def _try(lists: Lists, work: ObjectStore, settings: Search, approval: Approval) -> Outcome:
    for _ in range(TRIES):
        parent = gates.find_parent(work)
        if parent and parent.generation == lists.generation:  # an earlier try died after the flip
            return _mine(lists, work, approval)
        try:
            gates.check_may_follow(lists.plan, parent)
        except StopEverything as refused:
            return Outcome(refused=refused)
        verdict = gates.measure(lists, parent, work, settings)
        outcome = Outcome(gates=verdict.gates, worst=verdict.worst)
        lost = missing_buckets(work, parent.manifest) if parent and parent.manifest else set()
        if verdict.nothing_new and parent and not lost:
            return replace(outcome, generation=parent.generation)
        if approval.seen is None:
            gates.write_verdict(work, verdict)  # what was approved stays as it was seen
        if verdict.ask and not approval.covers(verdict):
            return replace(outcome, refused=_held(verdict, approval))
        _write(lists, parent, lost, work)
        current = Current(generation=lists.generation, parent=parent.generation if parent else None)
        try:
            flip(work, current, parent.pointer if parent else None)
        except (
            PreconditionFailed
        ):  # somebody published, went back or held the results since we looked
            continue
        return replace(outcome, generation=lists.generation, published=True, approved=verdict.ask)
    raise TryLater(
        f"Others published {TRIES} times while batch {lists.plan.batch} tried to: try again."
    )


def _mine(lists: Lists, work: ObjectStore, approval: Approval) -> Outcome:
    seen = gates.read_verdict(work, lists.plan.batch)
    outcome = Outcome(
        generation=lists.generation, published=True, approved=approval.seen is not None
    )
    return replace(outcome, gates=seen.gates, worst=seen.worst) if seen else outcome


def _held(verdict: Verdict, approval: Approval) -> HeldForApproval:
    if approval.seen is None:
        return gates.held(verdict)
    return HeldForApproval(
        "Since it was approved, other results became current, and against these it is worse"
        f" ({'; '.join(verdict.reasons)}): clear the task gates, or run python -m tasks.gates"
        f" {verdict.batch}, and approve again."
    )


def _write(lists: Lists, parent: Parent | None, lost: set[str], work: ObjectStore) -> None:
    """Write the generation beside the current one; bucket files that are equal to the parent's are
    the parent's."""
    name, manifest = lists.generation, parent.manifest if parent else None
    there = _reusable(lists, manifest, lost)
    keys = {}
    for number in lists.files.checksums:
        keys[number] = there.get(number, bucket_key(name, number))
        if number not in there:
            work.put(keys[number], lists.files.data(number))
    for path in lists.rows:
        work.put(rows_key(name, path.name), path.read_bytes())
    if lists.products:
        work.put(products_key(name), lists.products.read_bytes())
    plan, summary = lists.plan, lists.summary
    generation = Generation(
        schema=SCHEMA,
        generation=name,
        parent=parent.generation if parent else None,
        content=lists.files.content,
        index=f"{plan.collection}@{plan.commit}",
        recipes=_flat(plan.recipes),
        versions=dict(plan.versions),
        counts={"queries": summary.queries, "hits": summary.hits},
        buckets=keys,
        checksums=dict(lists.files.checksums),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        planned_at=plan.made_at,
        incomplete=gates.is_incomplete(plan),
    )
    work.put(generation_key(name), to_json(generation))


def _flat(recipes: Recipes) -> dict[str, str]:
    """Recipes by "<kind>/<stage>", as manifests have always been flat."""
    flat: dict[str, str] = {}
    for kind, by_stage in recipes.items():
        flat.update({f"{kind}/{stage}": recipe for stage, recipe in by_stage.items()})
    return flat


def _reusable(lists: Lists, manifest: Generation | None, lost: set[str]) -> Mapping[str, str]:
    """Keys of the parent's bucket files that hold the same bytes, by bucket number; those of an
    older schema or of another number of buckets are not looked at."""
    checksums = lists.files.checksums
    if manifest is None or manifest.schema != SCHEMA or len(manifest.buckets) != len(checksums):
        return {}
    equal = [
        number for number, checksum in checksums.items() if manifest.checksums[number] == checksum
    ]
    return {number: manifest.buckets[number] for number in equal if number not in lost}
