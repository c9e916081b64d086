"""The lists of a batch of queries, decided from candidates and judgements, shard by shard: never
all in memory."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mmsearch_core.errors import StageMissing
from mmsearch_core.pages.run import failed
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import GenerationId, ProductId, QueryKey, digest
from mmsearch_core.records.line import SEARCH, names
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.query import PopularQuery, StandardQuery, query_key
from mmsearch_core.records.ranking import Candidate, Judgement, ResultSet
from mmsearch_core.records.report import ShardReport
from mmsearch_core.search.decide import decide
from mmsearch_core.serving.spool import BucketFiles, RowFiles, Spool, write_products
from mmsearch_core.settings import Search
from mmsearch_core.shards.shard import Shard

FIRST = 12  # lists that a page shows
NAMED = 200  # queries without any hit that a report names


class Sink(Protocol):
    """Takes the lists of one shard after the other."""

    def add(self, results: Sequence[ResultSet]) -> None:
        """Take these."""


@dataclass
class Summary:
    """What reports and pages say of the lists of a batch."""

    queries: int = 0
    answered: int = 0  # of which have a hit
    hits: int = 0
    first: list[ResultSet] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)  # some of the queries without any
    reports: list[ShardReport] = field(default_factory=list)
    failures: list[failed.Failed] = field(default_factory=list)

    def add(self, results: Sequence[ResultSet]) -> None:
        """Count these lists."""
        without = [result.query for result in results if not result.hits]
        self.queries += len(results)
        self.answered += len(results) - len(without)
        self.hits += sum(len(result.hits) for result in results)
        self.first += results[: FIRST - len(self.first)]
        self.empty += without[: NAMED - len(self.empty)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """All lists of a batch, on the local disk. ``rows`` and ``products`` are Parquet files, none
    unless asked for."""

    plan: Plan
    summary: Summary
    files: BucketFiles
    rows: Sequence[Path] = ()
    products: Path | None = None

    @property
    def generation(self) -> GenerationId:
        """The name of the generation that this batch makes of them. Another batch with the same
        lists has another name, so that a batch knows what it published."""
        made_at, content = self.plan.made_at, self.files.content
        return GenerationId(f"{made_at:%Y%m%dT%H%M%S}-{digest(self.plan.batch, content)[:8]}")


def collect(plan: Plan, work: ObjectStore, settings: Search, folder: Path, *, rows: bool) -> Lists:
    """Work out the lists of a batch and spool them under ``folder``; with ``rows`` as Parquet, too.

    Raises StageMissing where a shard has not been through all stages.
    """
    spool, summary, row_files = Spool(folder, settings.buckets), Summary(), RowFiles(folder)
    sinks: list[Sink] = [spool, summary, *([row_files] if rows else [])]
    for results in _by_shard(plan, work, settings, summary):
        for sink in sinks:
            sink.add(results)
    row_files.finish()
    products = folder / "products.parquet" if rows else None
    if products:
        write_products(spool.products, products)
    return Lists(
        plan=plan, summary=summary, files=spool.finish(), rows=row_files.paths, products=products
    )


def _by_shard(
    plan: Plan, work: ObjectStore, settings: Search, summary: Summary
) -> Iterator[list[ResultSet]]:
    for path in sorted(plan.shards):
        shard = Shard(work, path)  # it keeps what it has read, so none outlives its turn
        reports = [_report(shard, stage) for stage in names(SEARCH)]
        summary.reports += reports
        summary.failures += failed.of_queries(shard, reports)
        yield result_sets(shard, settings)


def _report(shard: Shard, stage: str) -> ShardReport:
    report = shard.report(stage)
    if report is None:
        raise StageMissing(
            f"{shard.path} has no report of {stage}: look at that task's log, mend it and clear it."
        )
    return report


def result_sets(shard: Shard, settings: Search) -> list[ResultSet]:
    """The lists of the queries of one shard."""
    candidates: dict[QueryKey, list[Candidate]] = defaultdict(list)
    for candidate in shard.read("candidates", Candidate):
        candidates[candidate.query_key].append(candidate)
    judgements: dict[QueryKey, dict[ProductId, Judgement]] = defaultdict(dict)
    for judgement in shard.read("judgements", Judgement):
        judgements[judgement.query_key][judgement.product_id] = judgement
    popular = {query.query_key: query for query in shard.read("popular", PopularQuery)}
    lists = []
    for query in shard.read("standard", StandardQuery):
        key, mined = query.query_key, popular[query.query_key]
        made = ResultSet(
            query_key=key,
            query=query.text,
            locale=query.locale,
            weight=mined.weight,
            aliases=tuple(query_key(alias, query.locale) for alias in mined.aliases),
            hits=tuple(decide(candidates[key], judgements[key], settings)),
        )
        lists.append(made)
    return lists
