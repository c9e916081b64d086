"""retrieve: a standard query becomes the products worth judging, from CLIP, SBERT and BM25 legs
fused by rank."""

from collections.abc import Sequence

from mmsearch_core.ports.models import Embedder
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Candidate
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.search.candidates import retrieve
from mmsearch_core.search.legs import Legs
from mmsearch_core.settings import Search
from mmsearch_core.shards.loop import check_recipe
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.shards.targets import of_search_plan
from mmsearch_core.stages.index import embed_image, embed_text


def recipe(settings: Search, clip: str, sbert: str) -> Recipe:
    """What decides the candidates, given an index."""
    knobs = ("per_leg", "deepest", "candidates", "rrf_k")
    return Recipe(
        stage="retrieve",
        version=2,
        model=f"{clip} {sbert}",
        settings={name: str(getattr(settings, name)) for name in knobs},
    )


def stage(
    *, stores: Stores, clip: Embedder, sbert: Embedder, settings: Search, batch: int = 100
) -> Stage[StandardQuery]:
    """The candidates of each query, from the index that the plan names."""
    legs = Legs(stores.index, clip, sbert)

    def work_on(queries: Sequence[StandardQuery], run: ShardRun) -> list[Outcome]:
        _check_spaces(run.planned, clip, sbert)
        target = of_search_plan(run.planned, stores)
        retrieved = retrieve(
            queries, legs.for_queries(target.collection, queries), stores, target, settings
        )
        run.tally["searches"] += sum(len(each.found) for each in retrieved)
        return [each.candidates for each in retrieved]

    return Stage(
        recipe=recipe(settings, clip.name, sbert.name),
        reads={"standard": "standardize"},
        writes={"candidates": Candidate},
        items=lambda shard, _: shard.read("standard", StandardQuery),
        id_of=lambda query: query.query_key,
        work=work_on,
        batch=batch,
    )


def _check_spaces(plan: Plan, clip: Embedder, sbert: Embedder) -> None:
    """ModelMismatch if queries would be embedded otherwise than the index's rows were."""
    check_recipe(embed_image.recipe(clip.name), plan)
    check_recipe(embed_text.recipe(sbert.name), plan)
