"""retrieve: a standard query becomes the products worth judging, from CLIP, SBERT and BM25 legs
fused by rank."""

import json
from collections.abc import Sequence

from mmsearch_core.media import Kinds
from mmsearch_core.ports.models import Embedder
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.line import EMBEDDING
from mmsearch_core.records.plan import QUERY, Plan
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Candidate
from mmsearch_core.records.recipe import Recipe, Recipes, named
from mmsearch_core.records.target import share_a_recipe
from mmsearch_core.search.candidates import retrieve
from mmsearch_core.search.legs import Legs
from mmsearch_core.settings import Search
from mmsearch_core.shards.loop import not_as_planned
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.shards.targets import of_search_plan
from mmsearch_core.stages.index import embed_image, embed_text


def recipe(settings: Search, clip: str, sbert: str) -> Recipe:
    """What decides the candidates, given an index."""
    knobs = ("per_leg", "deepest", "candidates", "rrf_k")
    weights = {leg: weight for leg, weight in sorted(settings.weights.items()) if weight != 1}
    return Recipe(
        stage="retrieve",
        version=4,
        model=f"{clip} {sbert}",
        settings={
            **{name: str(getattr(settings, name)) for name in knobs},
            "weights": json.dumps(weights),
        },
    )


def stage(
    *,
    stores: Stores,
    clip: Embedder,
    sbert: Embedder,
    kinds: Kinds,
    settings: Search,
    batch: int = 100,
) -> Stage[StandardQuery]:
    """The candidates of each query, from the index that the plan names."""
    legs = Legs(stores.index, clip, sbert)
    embedding = named(
        [embed_text.recipes(kinds, sbert.name), embed_image.recipes(kinds, clip.name)]
    )

    def work_on(queries: Sequence[StandardQuery], run: ShardRun) -> list[Outcome]:
        _check_spaces(run.planned, embedding)
        target = of_search_plan(run.planned, stores)
        retrieved = retrieve(
            queries, legs.for_queries(target.collection, queries), stores, target, settings
        )
        run.tally["searches"] += sum(len(each.found) for each in retrieved)
        return [each.candidates for each in retrieved]

    return Stage(
        name="retrieve",
        recipes={QUERY: recipe(settings, clip.name, sbert.name)},
        reads={"standard": "standardize"},
        writes={"candidates": Candidate},
        items=lambda shard, _: shard.read("standard", StandardQuery),
        id_of=lambda query: query.query_key,
        work=work_on,
        batch=batch,
    )


def _check_spaces(plan: Plan, embedding: Recipes) -> None:
    """ModelMismatch if queries would be embedded otherwise than the index's rows were."""
    for stage_name in EMBEDDING:
        if not share_a_recipe(embedding, plan.recipes, stage_name):
            raise not_as_planned(stage_name, plan)
