"""retrieve: a standard query becomes the products worth judging, from CLIP, SBERT and BM25 legs fused by rank."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from mmsearch_core.errors import BadRecord
from mmsearch_core.ports import Embedder, Stores, VectorIndex
from mmsearch_core.records.commit import Known
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import AssetId, ProductId
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Candidate, Match
from mmsearch_core.records.run import Recipe, Target
from mmsearch_core.settings import Search
from mmsearch_core.shards import Outcome, Shard, Stage, Tally, read_plan

Found = Mapping[str, Sequence[Match]]  # by leg, best first

LANGUAGES = ("en", "zh")


def recipe(settings: Search, clip: str, sbert: str) -> Recipe:
    """What decides the candidates, given an index."""
    knobs = ("per_leg", "candidates", "rrf_k")
    return Recipe(
        stage="retrieve",
        version=1,
        model=f"{clip} {sbert}",
        settings={name: str(getattr(settings, name)) for name in knobs},
    )


class Legs:
    """The legs of retrieval, each asked once for all queries; a leg is skipped for a query it has no words for."""

    def __init__(self, index: VectorIndex, clip: Embedder, sbert: Embedder, per_leg: int) -> None:
        self._index, self._clip, self._sbert, self._per_leg = index, clip, sbert, per_leg

    def find(
        self, collection: str, queries: Sequence[StandardQuery], pictures: Sequence[bytes | None] = ()
    ) -> list[dict[str, list[Match]]]:
        """What each leg found for each query; ``pictures`` (normalised, JPEG) are those of queries that have one."""
        found: list[dict[str, list[Match]]] = [{} for _ in queries]
        wordings = [query.wording.get("en", query.text) for query in queries]
        vectors_of = {
            self._clip.space: self._with_pictures(self._clip.embed(wordings), pictures),
            self._sbert.space: self._sbert.embed(wordings),
        }
        for space, vectors in vectors_of.items():
            for query, matches in zip(found, self._nearest(collection, space, vectors), strict=True):
                query[space] = matches
        for language in LANGUAGES:
            texts = [" ".join(query.keywords.get(language, ())) for query in queries]
            matches_each = self._index.search_text(collection, language, texts, self._per_leg)
            for query, matches in zip(found, matches_each, strict=True):
                query[f"bm25_{language}"] = matches
        return found

    def alike(self, collection: str, picture: bytes) -> dict[str, list[Match]]:
        """What the one leg finds that needs no words."""
        return {self._clip.space: self._nearest(collection, self._clip.space, self._clip.embed([picture]))[0]}

    def _with_pictures(
        self, said: Sequence[Vector | BadRecord], pictures: Sequence[bytes | None]
    ) -> list[Vector | BadRecord]:
        """Words and picture as one vector, their sum: it finds better than two legs do."""
        vectors = list(said)
        places = [place for place, picture in enumerate(pictures) if picture]
        shown = self._clip.embed([picture for picture in pictures if picture]) if places else []
        for place, seen in zip(places, shown, strict=True):
            vectors[place] = _sum(vectors[place], seen)
        return vectors

    def _nearest(self, collection: str, space: str, vectors: Sequence[Vector | BadRecord]) -> list[list[Match]]:
        """The rows nearest to each vector; none for what could not be embedded."""
        good = [vector for vector in vectors if not isinstance(vector, BadRecord)]
        found = iter(self._index.search(collection, space, good, self._per_leg) if good else [])
        return [[] if isinstance(vector, BadRecord) else next(found) for vector in vectors]


def _sum(said: Vector | BadRecord, seen: Vector | BadRecord) -> Vector | BadRecord:
    if isinstance(seen, BadRecord):
        return said
    both = seen if isinstance(said, BadRecord) else said + seen
    unit: Vector = (both / max(float(np.linalg.norm(both)), 1e-9)).astype(np.float32)
    return unit


def fuse(query: StandardQuery, found: Found, known: Mapping[AssetId, Known], settings: Search) -> list[Candidate]:
    """Reciprocal rank fusion over products: in each leg a product stands where its best live row stands.

    Rows whose build is not live in the ledger are dropped. Ties by product id.
    """
    ranks: dict[ProductId, dict[str, int]] = defaultdict(dict)
    best: dict[ProductId, Match] = {}
    for leg, matches in found.items():
        place = 0
        for match in matches:
            asset = known.get(match.asset_id)
            if asset is None or asset.live_build != match.build:
                continue
            if leg not in ranks[asset.product_id]:
                place += 1
                ranks[asset.product_id][leg] = place
                best.setdefault(asset.product_id, match)
    fused = {
        product: sum(1 / (settings.rrf_k + rank) for rank in legs.values()) for product, legs in ranks.items() if legs
    }
    order = sorted(fused, key=lambda product: (-fused[product], product))[: settings.candidates]
    return [_candidate(query, product, best[product], known, ranks[product], fused[product]) for product in order]


def stage(
    *, stores: Stores, clip: Embedder, sbert: Embedder, target: Target, settings: Search, batch: int = 100
) -> Stage[StandardQuery]:
    """The candidates of each query, from the collection that the plan names."""
    legs = Legs(stores.index, clip, sbert, settings.per_leg)
    collections: list[str] = []

    def items(shard: Shard) -> list[StandardQuery]:
        collections[:] = [read_plan(stores.work, shard.batch).collection]
        return cast(list[StandardQuery], shard.read("standard", StandardQuery))

    def run(queries: Sequence[StandardQuery], tally: Tally) -> list[Outcome]:
        found = legs.find(collections[0], queries)
        tally["searches"] += sum(len(each) for each in found)
        return list(sellable(queries, found, stores, target, settings))

    return Stage(
        recipe=recipe(settings, clip.name, sbert.name),
        reads={"standard": "standardize"},
        writes={"candidates": Candidate},
        items=items,
        id_of=lambda query: query.query_key,
        work=run,
        batch=batch,
    )


def sellable(
    queries: Sequence[StandardQuery], found: Sequence[Found], stores: Stores, target: Target, settings: Search
) -> list[list[Candidate]]:
    """Candidates of live rows of products that the feed has in stock; the ledger is asked once for all."""
    assets = {match.asset_id for legs in found for matches in legs.values() for match in matches}
    known = stores.ledger.look_up(target.target_id, list(assets))
    products = stores.ledger.products(list({asset.product_id for asset in known.values()}))
    known = {
        name: asset
        for name, asset in known.items()
        if asset.product_id in products and products[asset.product_id].in_stock
    }
    return [fuse(query, legs, known, settings) for query, legs in zip(queries, found, strict=True)]


def _candidate(
    query: StandardQuery,
    product: ProductId,
    match: Match,
    known: Mapping[AssetId, Known],
    ranks: Mapping[str, int],
    fused: float,
) -> Candidate:
    return Candidate(
        query_key=query.query_key,
        product_id=product,
        asset_id=match.asset_id,
        segment_id=match.segment_id,
        passage_id=match.passage_id,
        picture=known[match.asset_id].key,
        where=match.where,
        pixels=match.pixels,
        text=match.text,
        ranks=dict(sorted(ranks.items())),
        fused=round(fused, 9),
    )
