"""gates: tonight's lists are held against those that are published, before anything is; too much of
a change asks a person, with the numbers and the worst queries at hand."""

import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from mmsearch_core.codec import from_json, from_json_value, to_json, to_json_value
from mmsearch_core.errors import HeldForApproval, StageMissing, StopEverything
from mmsearch_core.layout import gates_key
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import BatchId, GenerationId, QueryKey
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.report import Gate, GatesReport, Worst
from mmsearch_core.serving.generation import (
    Generation,
    Pointer,
    bucket_of,
    find_generation,
    planned_at,
    read_bucket,
    read_pointer,
)
from mmsearch_core.serving.published_lists import ListedProducts
from mmsearch_core.settings import Search
from mmsearch_core.shards.shard import read_plan
from mmsearch_core.stages.search import gate_measures, search_page
from mmsearch_core.stages.search.gate_measures import Differ, Differences
from mmsearch_core.stages.search.result_lists import Lists, collect

log = structlog.get_logger()

# a plan that is made later than that from now was made by a clock that was wrong
CLOCK_AHEAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """What is current now. ``manifest`` is None where the current generation has none: nothing can
    be served then."""

    pointer: Pointer
    manifest: Generation | None

    @property
    def generation(self) -> GenerationId:
        """The current generation."""
        return self.pointer.current.generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gates say of a batch: ``runs/<batch>/gates.json``. ``against`` is None before the
    first publication."""

    batch: BatchId
    against: GenerationId | None
    nothing_new: bool  # the lists are those that are current: nothing would be published
    gates: tuple[Gate, ...]
    worst: tuple[Worst, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """What a person is asked about."""
        return tuple(gate.says for gate in self.gates if gate.asks)

    @property
    def ask(self) -> bool:
        """Whether a person has to approve before anything is published."""
        return bool(self.reasons) and not self.nothing_new


def run(*, batch: BatchId, work: ObjectStore, settings: Search) -> GatesReport:
    """Work out tonight's lists, compare them and write the verdict; returns the task's report.

    Raises StopEverything where the batch may not be published at all, whoever approves it.
    """
    plan = read_plan(work, batch)
    with own_folder() as folder:
        lists = collect(plan, work, settings, Path(folder), rows=False)
        try:
            verdict = _verdict(lists, work, settings)
        except StopEverything as refused:
            raise search_page.refused(refused, lists, work) from refused
        page = _page(lists, verdict, work) if verdict.ask else ""
    log.info("gates.done", batch=batch, ask=verdict.ask, why=verdict.reasons, page=page)
    return GatesReport(
        batch=batch,
        ask=verdict.ask,
        why=verdict.reasons,
        page=page,
        table=gate_measures.table(verdict.gates, verdict.worst),
    )


def _verdict(lists: Lists, work: ObjectStore, settings: Search) -> Verdict:
    parent = find_parent(work)
    if parent is None or parent.generation != lists.generation:
        check_may_follow(lists.plan, parent)
    verdict = measure(lists, parent, work, settings)
    write_verdict(work, verdict)
    return verdict


def _page(lists: Lists, verdict: Verdict, work: ObjectStore) -> str:
    outcome = search_page.Outcome(gates=verdict.gates, worst=verdict.worst, refused=held(verdict))
    return search_page.write(lists, outcome, work).page


def read_verdict(work: ObjectStore, batch: str) -> Verdict | None:
    """The verdict that people saw, or None where the gates were never asked; StageMissing if
    another version of mmsearch wrote it."""
    data = work.get(gates_key(batch))
    try:
        return from_json(data, Verdict) if data else None
    except ValueError as error:
        raise StageMissing(
            f"What the gates said of batch {batch} was written by another version of mmsearch:"
            f" clear the task gates, or run python -m tasks.gates {batch}, and approve again."
        ) from error


def write_verdict(work: ObjectStore, verdict: Verdict) -> None:
    """Keep the verdict for whoever approves it."""
    work.put(gates_key(verdict.batch), to_json(verdict))


def held(verdict: Verdict) -> HeldForApproval:
    """The error of a batch that waits for a person."""
    return HeldForApproval(
        f"{'; '.join(verdict.reasons)}: nothing was published; approve it in Airflow, or with "
        f"python -m tasks.publish {verdict.batch} --approve 1."
    )


def find_parent(work: ObjectStore) -> Parent | None:
    """What is current now, or None before the first publication."""
    pointer = read_pointer(work)
    if pointer is None:
        return None
    manifest = find_generation(work, pointer.current.generation)
    if manifest is None:
        log.warning("gates.no_manifest", generation=pointer.current.generation)
    return Parent(pointer=pointer, manifest=manifest)


def check_may_follow(plan: Plan, parent: Parent | None) -> None:
    """StopEverything if there is nothing to publish, a person holds the results, or the current
    ones are of a later plan: publishing never goes back in time."""
    if not sum(plan.shards.values()):
        raise StopEverything(
            "There is no popular query: look at the query log; nothing was published."
        )
    if parent is None:
        return
    if parent.pointer.current.hold:
        raise StopEverything(
            f"Results are on hold at generation {parent.generation}: let them go with mmsearch"
            " release, then clear this task."
        )
    if parent.manifest is None:
        return
    current = planned_at(parent.manifest)
    if current is None or current > datetime.now(UTC) + CLOCK_AHEAD:
        return
    made_at = plan.made_at if parent.manifest.planned_at else plan.made_at.replace(microsecond=0)
    if made_at < current:
        raise StopEverything(
            f"Batch {plan.batch} was planned on {plan.made_at:%Y-%m-%d %H:%M}, before the results"
            f" that are current ({parent.generation}): run precompute_results anew, or go back with"
            " mmsearch rollback."
        )


def measure(lists: Lists, parent: Parent | None, work: ObjectStore, settings: Search) -> Verdict:
    """Hold the lists against those of the current generation, bucket by bucket."""
    manifest = parent.manifest if parent else None
    differences = _differences(lists, manifest, work) if manifest else None
    plan, summary = lists.plan, lists.summary
    found = gate_measures.gates(
        asked=sum(plan.shards.values()),
        answered=summary.answered,
        incomplete=is_incomplete(plan),
        differences=differences,
        settings=settings,
    )
    return Verdict(
        batch=plan.batch,
        against=parent.generation if parent else None,
        nothing_new=bool(manifest and manifest.content == lists.files.content),
        gates=found,
        worst=differences.worst if differences else (),
    )


def is_incomplete(plan: Plan) -> bool:
    """Whether batches of the index were still open when the plan was made."""
    return plan.incomplete or bool(plan.counts.get("index_incomplete"))


def _differences(lists: Lists, manifest: Generation, work: ObjectStore) -> Differences:
    differ = Differ()
    buckets = len(lists.files.checksums)
    with own_folder() as folder:
        dealt = (
            _dealt_again(manifest, work, buckets, Path(folder))
            if len(manifest.buckets) != buckets
            else None
        )
        for number, checksum in lists.files.checksums.items():
            tonight = lists.files.lists(number).products()
            if dealt is not None:
                before = _read_dealt(dealt / number)
            elif manifest.checksums[number] == checksum:
                before = tonight
            else:
                before = _read_there(work, manifest, number)
            differ.add(before, tonight)
    return differ.result(manifest.counts["queries"])


def _dealt_again(manifest: Generation, work: ObjectStore, buckets: int, folder: Path) -> Path:
    """The lists of a generation that has another number of buckets, dealt into as many as
    tonight's."""
    for number in sorted(manifest.buckets):
        lines: dict[str, list[str]] = defaultdict(list)
        for key, listed in _read_there(work, manifest, number).items():
            line = json.dumps([key, to_json_value(listed)]) + "\n"
            lines[bucket_of(key, buckets)].append(line)
        for other, added in lines.items():
            with (folder / other).open("a", encoding="utf-8") as file:
                file.writelines(added)
    return folder


def _read_dealt(path: Path) -> dict[QueryKey, ListedProducts]:
    """The lists of one file of ``_dealt_again``, by query key; there is none where no list was
    dealt into it."""
    lists: dict[QueryKey, ListedProducts] = {}
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for line in file:
                key, listed = json.loads(line)
                lists[QueryKey(key)] = from_json_value(listed, ListedProducts)
    return lists


def _read_there(
    work: ObjectStore, manifest: Generation, number: str
) -> dict[QueryKey, ListedProducts]:
    """The lists of a published bucket file, by query key; of one that is lost or damaged there are
    none, and its lists count as gone."""
    with suppress(StageMissing, ValueError):
        return read_bucket(work, manifest, number).products()
    log.warning("gates.no_bucket_file", generation=manifest.generation, bucket=number)
    return {}
