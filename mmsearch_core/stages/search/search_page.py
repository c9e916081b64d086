"""The page of a batch of the search line: what was worked out, what the gates say, whether it was
published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mmsearch_core.errors import StopEverything
from mmsearch_core.pages.run import facts as run_facts
from mmsearch_core.pages.run import failed, night_results
from mmsearch_core.pages.run import page as run_page
from mmsearch_core.pages.run.night import latest
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import GenerationId
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.report import Check, Gate, PublishReport, StageTotals, Worst
from mmsearch_core.serving.generation import read_current
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.totals import add_up, model_calls
from mmsearch_core.stages.search.result_lists import Lists, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the batch: the generation that holds its results (None where none does),
    whether this batch published it, what the gates said, whether a person approved, and why it was
    refused."""

    generation: GenerationId | None = None
    published: bool = False
    gates: Sequence[Gate] = ()
    worst: Sequence[Worst] = ()
    approved: bool = False
    refused: StopEverything | None = None


def write(lists: Lists, outcome: Outcome, work: ObjectStore) -> PublishReport:
    """Write the page and the JSON beside it; returns the report, which names the page."""
    plan, summary = lists.plan, lists.summary
    totals = add_up(summary.reports)
    report = PublishReport(
        batch=plan.batch,
        generation=outcome.generation,
        published=outcome.published,
        queries=summary.queries,
        hits=summary.hits,
        stages=totals,
        model_calls=model_calls(totals),
    )
    listed, pictures = failed.listed(summary.failures, work=work, catalog=work)
    shards = [Shard(work, path) for path in sorted(plan.shards)[:1]]
    shown, seen = night_results.shown(summary.first, shards, work)
    lists_shown = run_facts.NightLists(
        answered=summary.answered, empty=summary.empty, first=shown, worst=outcome.worst
    )
    checks = [*_checks(plan, summary, totals, outcome, work), *_gates(outcome)]
    page = run_facts.of_search(
        report,
        plan=plan,
        lists=lists_shown,
        ended=run_facts.Ended(checks=checks, failures=listed, error=outcome.refused),
        beside=latest(work, "index"),
    )
    return replace(report, page=run_page.write(work, page, pictures | seen))


def refused(error: StopEverything, lists: Lists, work: ObjectStore) -> StopEverything:
    """Write the page of a batch that is not published; returns the error with the page's
    address."""
    page = write(lists, Outcome(refused=error), work).page
    return type(error)(f"{error} See {page}")


def _checks(
    plan: Plan,
    summary: Summary,
    totals: Mapping[str, StageTotals],
    outcome: Outcome,
    work: ObjectStore,
) -> list[Check]:
    asked, standardize = sum(plan.shards.values()), totals.get("standardize")
    read, lost = (standardize.read, standardize.failed) if standardize else (0, 0)
    current = read_current(work)
    now = current.generation if current else None
    return [
        Check(
            name="Every popular query came through",
            held=asked == read,
            found=f"{asked} mined, {read} standardized",
        ),
        Check(
            name="Every query that was understood has its list",
            held=summary.queries == asked - lost,
            found=f"{summary.queries} lists, {lost} failed",
        ),
        Check(
            name="The storefront reads these results",
            held=outcome.generation is not None and outcome.generation == now,
            found=f"CURRENT names {now or 'nothing'}",
        ),
    ]


def _gates(outcome: Outcome) -> list[Check]:
    approved = ", approved by a person" if outcome.approved else ""
    return [
        Check(
            name=f"Gate: {gate.name}",
            held=not gate.asks or outcome.approved,
            found=gate.says + (approved if gate.asks else ""),
        )
        for gate in outcome.gates
    ]
