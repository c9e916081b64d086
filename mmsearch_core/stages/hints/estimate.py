"""estimate: what a backfill would cost, before any of it is done.

For pictures it is an upper bound: the memo may know more than the ledger does, and a listing cannot
tell that objects uploaded in different ways hold equal bytes. A document or video is counted once,
since its pages or shots are not known before it is opened; the estimate says how many there are.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import structlog
from more_itertools import chunked

from mmsearch_core.catalog.selection import Selection, as_form, selected
from mmsearch_core.catalog.spooled import count_different
from mmsearch_core.media import kind_of
from mmsearch_core.pages.run.night import latest
from mmsearch_core.pages.run.page import read_facts
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.asset import ObjectRef, asset_id
from mmsearch_core.records.ids import AssetId
from mmsearch_core.records.line import remembering
from mmsearch_core.records.report import EstimateReport
from mmsearch_core.records.target import Target, kinds_alike
from mmsearch_core.settings import Backfill, Settings

log = structlog.get_logger()

ASKING = tuple(step.name for step in remembering())
PIECE = 1_000


def run(*, asked: Selection, target: Target, stores: Stores, settings: Settings) -> EstimateReport:
    """The task's report: assets, model calls that the memo does not save, their seconds, minutes in
    all, and whether a person has to approve."""
    counted: Counter[str] = Counter()
    calls = count_different(_contents(asked, target, stores, settings, counted), ASKING)
    assets, to_do = counted["assets"], counted["to_do"]
    measured = _seconds_a_call(stores.work, settings.backfill)
    seconds = {stage: calls[stage] * measured[stage] for stage in calls}
    gpu = sum(seconds[step.name] for step in remembering() if step.gpu)
    other = sum(seconds[step.name] for step in remembering() if not step.gpu)
    other += to_do * settings.backfill.other_seconds
    minutes = (gpu / settings.backfill.gpus + other) / 60
    budget = (
        settings.backfill.budget_minutes if asked.budget_minutes is None else asked.budget_minutes
    )
    report = EstimateReport(
        selection=as_form(asked),
        collection=target.collection,
        assets=assets,
        to_do=to_do,
        documents=counted["documents"],
        videos=counted["videos"],
        calls=calls,
        gpu_seconds=round(gpu, 1),
        minutes=round(minutes, 1),
        budget_minutes=budget,
        ask=minutes > budget and not asked.dry_run,
    )
    log.info(
        "estimate.done",
        assets=assets,
        to_do=to_do,
        calls=calls,
        minutes=report.minutes,
        ask=report.ask,
    )
    return replace(report, table=_table(report))


def _contents(
    asked: Selection, target: Target, stores: Stores, settings: Settings, counted: Counter[str]
) -> Iterator[tuple[str, Sequence[bool]]]:
    """The content of each asset, and whether each stage has to work on it; counts the assets on the
    way."""
    for piece in chunked(selected(stores.catalog, settings.catalog.prefix, asked), PIECE):
        done = _done(stores.ledger, target, piece)
        counted["assets"] += len(piece)
        for ref in piece:
            to_do = bool(asked.redo) or ref.key not in done["upsert"]
            of_kind = target.recipes[kind_of(ref.key)]
            counted["to_do"] += to_do
            counted[f"{kind_of(ref.key)}s"] += to_do
            yield (
                ref.version,
                [
                    stage in of_kind and (stage in asked.redo or ref.key not in done[stage])
                    for stage in ASKING
                ],
            )


def _done(ledger: Ledger, target: Target, piece: Sequence[ObjectRef]) -> dict[str, set[str]]:
    """By stage, the keys whose answers the memo has, since some target lives by them; by "upsert"
    those that are in this target."""
    names = {asset_id(ref.bucket, ref.key): ref for ref in piece}
    done: dict[str, set[str]] = {stage: set() for stage in (*ASKING, "upsert")}
    for other in ledger.targets():
        known = ledger.look_up(other.target_id, [AssetId(name) for name in names])
        live = {
            names[name].key
            for name, was in known.items()
            if was.state == "live" and was.source_version == names[name].version
        }
        for step in remembering():
            deciding = (*step.after, step.name)
            same = kinds_alike(target.recipes, other.recipes, deciding)
            done[step.name] |= {key for key in live if kind_of(key) in same}
        if other.target_id == target.target_id:
            done["upsert"] |= live
    return done


def _seconds_a_call(work: ObjectStore, settings: Backfill) -> dict[str, float]:
    """As in the latest run of the index line, where it made calls; else as the settings guess."""
    newest = latest(work, "index")
    facts = read_facts(work, newest.newest) if newest else None
    stages = facts.report.stages if facts else {}
    seconds = {}
    for step in remembering():
        done = stages.get(step.name)
        guessed = settings.call_seconds.get(step.name, step.call_seconds)
        measured = done.seconds / done.calls_made if done and done.calls_made else None
        seconds[step.name] = guessed if measured is None else measured
    return seconds


def _table(report: EstimateReport) -> str:
    """For the person who is asked, in Markdown; the form's words stand in code, where they cannot
    act."""
    asked = json.dumps(report.selection, ensure_ascii=False).replace("`", "'")
    calls = ", ".join(f"{stage} {count:,}" for stage, count in report.calls.items())
    rows = {
        "asked for": f"`{asked}`".replace("|", "\\|"),
        "into": report.collection,
        "assets": f"{report.assets:,}, of which {report.to_do:,} have to be done",
        "model calls after the memo": calls,
        "GPU-seconds": f"{report.gpu_seconds:,}",
        "minutes": f"**{report.minutes:,}**, over the budget of {report.budget_minutes:,}",
    }
    if report.documents:
        rows["documents"] = (
            f"{report.documents:,}; each page costs what is counted here for the document"
        )
    if report.videos:
        rows["videos"] = f"{report.videos:,}; each shot costs what is counted here for the video"
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {text} |" for name, text in rows.items())
