"""publish: judgements become the result sets of one generation, and one conditional write makes it current."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import structlog

from mmsearch_core.codec import dump, to_json
from mmsearch_core.errors import PreconditionFailed, StageMissing, StopEverything, TryLater
from mmsearch_core.pages import failed, night_results, run_facts, run_page
from mmsearch_core.pages.run_page import Check
from mmsearch_core.ports import ObjectStore
from mmsearch_core.records.ids import BatchId, GenerationId, ProductId, QueryKey, digest
from mmsearch_core.records.query import PopularQuery, StandardQuery, query_key
from mmsearch_core.records.ranking import Candidate, Evidence, Hit, Judgement, ResultSet
from mmsearch_core.records.run import Plan
from mmsearch_core.serving.results import (
    CURRENT,
    Current,
    Generation,
    bucket_of,
    generation_key,
    read_current,
    read_generation,
)
from mmsearch_core.settings import Search
from mmsearch_core.shards import Shard, read_plan
from mmsearch_core.stages.close import add_up

log = structlog.get_logger()

SCHEMA = 1
STAGES = run_facts.SEARCHING
TRIES = 3
DIGITS = 2  # of a relevance: what more of them say of two that are near 1 is chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A generation that nobody can see yet; ``content`` is a digest of its results."""

    plan: Plan
    results: Sequence[ResultSet]

    @property
    def content(self) -> str:
        return sha256(b"".join(_entry(result) for result in self.results)).hexdigest()

    @property
    def generation(self) -> GenerationId:
        """Of this batch: another that says the same has another name, so that a batch knows what it published."""
        return GenerationId(f"{self.plan.made_at:%Y%m%dT%H%M%S}-{digest(self.plan.batch, self.content)[:8]}")


def run(*, batch: BatchId, work: ObjectStore, settings: Search) -> dict[str, Any]:
    """Publish what the batch judged, unless it equals what is current; returns the task's report. Whether it was
    published or refused is on the run's page."""
    plan = read_plan(work, batch)
    shards = [Shard(work, path) for path in sorted(plan.shards)]
    reports = [[_report(shard, stage) for stage in STAGES] for shard in shards]
    totals = add_up([report for found in reports for report in found])
    results = [result for shard in shards for result in _results(shard, settings)]
    generation, published, refused = _try(Draft(plan=plan, results=results), work, settings)
    report = {
        "stage": "publish",
        "batch": batch,
        "generation": generation,
        "published": published,
        "queries": len(results),
        "hits": sum(len(result.hits) for result in results),
        "stages": totals,
        "model_calls": run_facts.model_calls(totals),
    }
    failures = [one for shard, found in zip(shards, reports, strict=True) for one in failed.of_queries(shard, found)]
    listed, pictures = failed.listed(failures, work=work, catalog=work)
    shown, seen = night_results.shown(results, shards[:1], work)
    nights = {**report, "shown": shown, "empty": [result.query for result in results if not result.hits]}
    checks = _checks(plan, totals, report, read_current(work))
    facts = run_facts.of_search(nights, plan=plan, checks=checks, failures=listed, error=refused, work=work)
    page = run_page.write(work, facts, pictures | seen)
    log.info("publish.done", batch=batch, generation=generation, published=published, page=page)
    if refused:
        raise type(refused)(f"{refused} See {page}")
    return report | {"page": page}


def decide(candidates: Sequence[Candidate], judgements: Mapping[ProductId, Judgement], settings: Search) -> list[Hit]:
    """相关 by relevance to two digits, equals in fused order, then unjudged in fused order. 不相关 is dropped, but for
    lists below ``min_hits``: these are topped up in fused order with hits that nobody vouches for (verdict None)."""
    ranked = sorted(candidates, key=lambda found: (-found.fused, found.product_id))
    good = [found for found in ranked if (said := judgements.get(found.product_id)) and said.verdict == "相关"]
    good.sort(key=lambda found: -round(judgements[found.product_id].relevance, DIGITS))
    unjudged = [found for found in ranked if found.product_id not in judgements]
    bad = [found for found in ranked if (said := judgements.get(found.product_id)) and said.verdict == "不相关"]
    hits = [_hit(found, judgements[found.product_id]) for found in good] + [_hit(found, None) for found in unjudged]
    spare = max(0, settings.min_hits - len(hits))
    return (hits + [_hit(found, None) for found in bad[:spare]])[: settings.hits]


def _hit(found: Candidate, said: Judgement | None) -> Hit:
    return Hit(
        product_id=found.product_id,
        score=round(said.relevance, DIGITS) if said else found.fused,
        verdict=said.verdict if said else None,
        evidence=Evidence(
            asset_id=found.asset_id,
            picture=found.picture,
            where=found.where,
            text=found.text,
            reason=said.reason if said else "",
        ),
    )


def _report(shard: Shard, stage: str) -> Any:
    report = shard.report(stage)
    if report is None:
        raise StageMissing(f"{shard.path} has no report of {stage}: look at that task's log, mend it and clear it.")
    return report


def _results(shard: Shard, settings: Search) -> list[ResultSet]:
    candidates: dict[QueryKey, list[Candidate]] = defaultdict(list)
    for found in shard.read("candidates", Candidate):
        candidates[found.query_key].append(found)
    judgements: dict[QueryKey, dict[ProductId, Judgement]] = defaultdict(dict)
    for said in shard.read("judgements", Judgement):
        judgements[said.query_key][said.product_id] = said
    aliases = {popular.query_key: popular.aliases for popular in shard.read("popular", PopularQuery)}
    return [
        ResultSet(
            query_key=query.query_key,
            query=query.text,
            locale=query.locale,
            aliases=tuple(query_key(alias, query.locale) for alias in aliases[query.query_key]),
            generation=GenerationId(""),
            hits=tuple(decide(candidates[query.query_key], judgements[query.query_key], settings)),
        )
        for query in shard.read("standard", StandardQuery)
    ]


def _try(draft: Draft, work: ObjectStore, settings: Search) -> tuple[GenerationId | None, bool, StopEverything | None]:
    """The generation that holds these results, whether this batch published it, and why it was refused."""
    try:
        _gate(draft.results, sum(draft.plan.shards.values()), settings)
        return *_publish(draft, work, settings.buckets), None
    except StopEverything as refused:
        return None, False, refused


def _checks(plan: Plan, totals: Mapping[str, Any], report: Mapping[str, Any], current: Current | None) -> list[Check]:
    asked, read = sum(plan.shards.values()), totals.get("standardize", {}).get("read", 0)
    lost = totals.get("standardize", {}).get("failed", 0)
    now = current.generation if current else None
    return [
        Check(name="Every popular query came through", held=asked == read, found=f"{asked} mined, {read} standardized"),
        Check(
            name="Every query that was understood has its list",
            held=report["queries"] == asked - lost,
            found=f"{report['queries']} lists, {lost} failed",
        ),
        Check(
            name="The storefront reads these results",
            held=report["generation"] is not None and report["generation"] == now,
            found=f"CURRENT names {now or 'nothing'}",
        ),
    ]


def _gate(results: Sequence[ResultSet], asked: int, settings: Search) -> None:
    answered = sum(bool(result.hits) for result in results)
    if asked == 0 or answered < settings.coverage * asked:
        raise StopEverything(
            f"Only {answered} of {asked} popular queries have results, under search.coverage: nothing was published; "
            "look at the reports of standardize and retrieve."
        )


def _publish(draft: Draft, work: ObjectStore, buckets: int) -> tuple[GenerationId, bool]:
    """Write the generation beside the current one and flip the pointer; whether there was anything to publish."""
    etag = draft.plan.current_etag
    for _ in range(TRIES):
        current = read_current(work)
        if current and current.hold:
            raise StopEverything("Results are on hold after a rollback: release the hold before publishing again.")
        parent = read_generation(work, current.generation) if current else None
        if parent and parent.content == draft.content:
            return parent.generation, parent.generation == draft.generation  # ours, if we died after the flip
        _write(draft, parent, work, buckets)
        pointer = to_json(Current(generation=draft.generation, parent=parent.generation if parent else None))
        try:
            work.put(CURRENT, pointer, if_match=etag or None, if_none_match=not etag)
        except PreconditionFailed:
            there = work.head(CURRENT)  # somebody else published since the plan: hold ours against theirs
            etag = there.etag if there else ""
        else:
            return draft.generation, True
    raise TryLater(f"Others published {TRIES} times while batch {draft.plan.batch} tried to: try again.")


def _write(draft: Draft, parent: Generation | None, work: ObjectStore, buckets: int) -> None:
    old = {number: (parent.buckets[number], parent.checksums[number]) for number in parent.buckets} if parent else {}
    keys, checksums = {}, {}
    for number, data in _bucket_files(draft.results, buckets).items():
        checksum = sha256(data).hexdigest()
        key, known = old.get(number, ("", ""))
        if known != checksum:
            key = f"results/{draft.generation}/buckets/{number}.json"
            work.put(key, data)
        keys[number], checksums[number] = key, checksum
    stamped = [replace(result, generation=draft.generation) for result in draft.results]
    work.put(f"results/{draft.generation}/results.parquet", dump(stamped, ResultSet))
    manifest = Generation(
        schema=SCHEMA,
        generation=draft.generation,
        parent=parent.generation if parent else None,
        content=draft.content,
        index=f"{draft.plan.collection}@{draft.plan.commit}",
        recipes=dict(draft.plan.recipes),
        versions=dict(draft.plan.versions),
        counts={"queries": len(stamped), "hits": sum(len(result.hits) for result in stamped)},
        buckets=keys,
        checksums=checksums,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    work.put(generation_key(draft.generation), to_json(manifest))


def _bucket_files(results: Sequence[ResultSet], buckets: int) -> dict[str, bytes]:
    """Every result under its key and under the keys of its aliases; empty files too, so that a reader finds one."""
    entries: dict[str, dict[str, Any]] = {f"{number:03x}": {} for number in range(buckets)}
    for result in results:
        entry = json.loads(_entry(result))
        for key in (*result.aliases, result.query_key):
            entries[bucket_of(key, buckets)][key] = entry
    return {number: json.dumps(found, ensure_ascii=False, sort_keys=True).encode() for number, found in entries.items()}


def _entry(result: ResultSet) -> bytes:
    """A result as storefronts read it: without the generation, so that an unchanged one stays equal."""
    plain = json.loads(to_json(result))
    return json.dumps({name: plain[name] for name in ("query", "locale", "hits")}, ensure_ascii=False).encode()
