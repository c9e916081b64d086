"""mine: the query log becomes the popular queries, and those the frozen plan of the search line."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from more_itertools import chunked

from mmsearch_core.catalog.query_log import fetch_sums
from mmsearch_core.codec import to_json
from mmsearch_core.errors import StageMissing
from mmsearch_core.layout import file_key, plan_key, shard_path
from mmsearch_core.own_folder import own_folder
from mmsearch_core.parquet import dump
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.ids import BatchId, RecipeId, digest
from mmsearch_core.records.plan import QUERY, Plan
from mmsearch_core.records.query import PopularQuery
from mmsearch_core.records.report import MineReport
from mmsearch_core.records.target import Target
from mmsearch_core.settings import QueryLog, Settings
from mmsearch_core.shards.pace import shard_size
from mmsearch_core.shards.targets import lacks
from mmsearch_core.stages.index.plan import versions
from mmsearch_core.stages.search.popular import Popular, popular_queries

log = structlog.get_logger()

LEAST_A_SHARD = 100  # queries
MOST_SHARDS = 333  # each is three mapped tasks, and Airflow maps a thousand at most


def run(
    *,
    run_id: str,
    target: Target,
    recipes: Mapping[str, RecipeId],
    stores: Stores,
    query_log: ObjectStore,
    settings: Settings,
) -> MineReport:
    """Freeze tonight's queries; returns the task's report."""
    work = stores.work
    batch = BatchId(digest("mine", run_id, target.target_id)[:16])
    if stores.index.resolve(settings.index.alias) is None:
        raise StageMissing("There is no index yet: run catalog_refresh first.")
    popular = mined(query_log, work, settings.query_log, now=datetime.now(UTC))
    shards = {}
    size = shard_size(len(popular.queries), least=LEAST_A_SHARD, most_shards=MOST_SHARDS)
    for number, piece in enumerate(chunked(popular.queries, size)):
        path = shard_path(batch, number)
        work.put(file_key(path, "popular"), dump(piece, PopularQuery))
        shards[path] = len(piece)
    counts = {**popular.counts, "popular": len(popular.queries)}
    plan = Plan(
        batch=batch,
        line="search",
        target_id=target.target_id,
        collection=target.collection,
        collection_uuid=target.collection_uuid,
        made_at=datetime.now(UTC),
        commit=stores.ledger.commit_number(target.target_id),
        recipes={**target.recipes, QUERY: recipes},
        shards=shards,
        shard_kinds=dict.fromkeys(shards, QUERY),
        counts=counts,
        versions=versions(),
        incomplete=bool(lacks(stores.ledger, target.target_id)),
    )
    work.put(plan_key(batch), to_json(plan))
    log.info("mine.done", batch=batch, **counts)
    return MineReport(batch=batch, shards=tuple(sorted(shards)), counts=counts)


def mined(
    query_log: ObjectStore, work: ObjectStore, settings: QueryLog, *, now: datetime
) -> Popular:
    """The popular queries of the log as it is; ``now`` is what its clocks are held against."""
    with own_folder() as name:
        folder = Path(name)
        log_sums = fetch_sums(query_log, work, settings, folder=folder, now=now)
        popular = popular_queries(log_sums.files, settings, folder=folder, now=now)
    objects = {
        "log_objects": len(log_sums.files),
        "log_objects_read": log_sums.read,
        "log_objects_old": log_sums.old,
    }
    return replace(popular, counts={**popular.counts, **objects})
