"""retrieve: a standard query becomes the products worth judging, from CLIP, SBERT and BM25 legs
fused by rank."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from mmsearch_core.errors import BadRecord
from mmsearch_core.ports import Embedder, Stores, VectorIndex
from mmsearch_core.records.commit import Known
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import AssetId, ProductId
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Candidate, Match
from mmsearch_core.records.run import Plan, Recipe, Target
from mmsearch_core.settings import Search
from mmsearch_core.shards import Outcome, Shard, Stage, Tally, check_recipe, read_plan
from mmsearch_core.stages import embed_image, embed_text
from mmsearch_core.targets import of_search_plan

Found = Mapping[str, Sequence[Match]]  # by leg, best first

LANGUAGES = ("en", "zh")
ROWS_PER_CALL = 12_800  # rows that one call to the index may answer with: their text travels along


def recipe(settings: Search, clip: str, sbert: str) -> Recipe:
    """What decides the candidates, given an index."""
    knobs = ("per_leg", "deepest", "candidates", "rrf_k")
    return Recipe(
        stage="retrieve",
        version=2,
        model=f"{clip} {sbert}",
        settings={name: str(getattr(settings, name)) for name in knobs},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One way to look for queries. ``looked_for`` has one entry per query (a vector or a text),
    None where this leg cannot look for that query; ``search`` takes entries and a number of rows
    and finds rows for each."""

    name: str
    looked_for: Sequence[Any]
    search: Callable[[Sequence[Any], int], list[list[Match]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What was retrieved for one query: the rows that each leg found, and the products that can be
    shown."""

    found: Found
    candidates: Sequence[Candidate]


class Legs:
    """The legs of retrieval over one index."""

    def __init__(self, index: VectorIndex, clip: Embedder, sbert: Embedder) -> None:
        self._index, self._clip, self._sbert = index, clip, sbert

    def for_queries(
        self,
        collection: str,
        queries: Sequence[StandardQuery],
        pictures: Sequence[bytes | None] = (),
    ) -> list[Leg]:
        """All legs; ``pictures`` (normalised, JPEG) are those of queries that have one. The models
        are asked here."""
        wordings = [query.wording.get("en", query.text) for query in queries]
        vectors_of = {
            self._clip.space: self._with_pictures(self._clip.embed(wordings), pictures),
            self._sbert.space: self._sbert.embed(wordings),
        }
        legs = [
            self._by_vector(collection, space, vectors) for space, vectors in vectors_of.items()
        ]
        for language in LANGUAGES:
            texts = [" ".join(query.keywords.get(language, ())) for query in queries]
            search = partial(self._index.search_text, collection, language)
            legs.append(Leg(name=f"bm25_{language}", looked_for=texts, search=search))
        return legs

    def for_picture(self, collection: str, picture: bytes) -> list[Leg]:
        """The one leg that needs no words, for one query."""
        return [self._by_vector(collection, self._clip.space, self._clip.embed([picture]))]

    def _by_vector(self, collection: str, space: str, vectors: Sequence[Vector | BadRecord]) -> Leg:
        looked_for = [None if isinstance(vector, BadRecord) else vector for vector in vectors]
        return Leg(
            name=space, looked_for=looked_for, search=partial(self._index.search, collection, space)
        )

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


def _sum(said: Vector | BadRecord, seen: Vector | BadRecord) -> Vector | BadRecord:
    if isinstance(seen, BadRecord):
        return said
    both = seen if isinstance(said, BadRecord) else said + seen
    unit: Vector = (both / max(float(np.linalg.norm(both)), 1e-9)).astype(np.float32)
    return unit


def retrieve(
    queries: Sequence[StandardQuery],
    legs: Sequence[Leg],
    stores: Stores,
    target: Target,
    settings: Search,
) -> list[Retrieved]:
    """Each query's candidates: products that the feed has in stock and whose rows are live.

    Every leg is asked for ``per_leg`` rows of all queries at once. Where too few of them can be
    shown (sold out, rows of builds that are not live, many rows of one product) and there are more,
    the legs of that query are asked for twice as many rows, and so on up to ``deepest``.
    """
    found: list[dict[str, list[Match]]] = [{} for _ in queries]
    candidates: list[list[Candidate]] = [[] for _ in queries]
    rows = settings.per_leg
    asked = {leg.name: list(range(len(queries))) for leg in legs}
    while any(asked.values()):
        for leg in legs:
            _look(leg, asked[leg.name], rows, found)
        touched = sorted({place for places in asked.values() for place in places})
        sold = sellable(
            [queries[n] for n in touched], [found[n] for n in touched], stores, target, settings
        )
        for place, products in zip(touched, sold, strict=True):
            candidates[place] = products
        short = [place for place in touched if len(candidates[place]) < settings.candidates]
        full = {leg.name: [n for n in short if len(found[n][leg.name]) >= rows] for leg in legs}
        deeper = min(2 * rows, settings.deepest)
        asked = full if deeper > rows else {}
        rows = deeper
    return [
        Retrieved(found=rows_of, candidates=own)
        for rows_of, own in zip(found, candidates, strict=True)
    ]


def _look(
    leg: Leg, places: Sequence[int], rows: int, found: Sequence[dict[str, list[Match]]]
) -> None:
    """Put what the leg finds for the queries at these places into ``found``."""
    able = [place for place in places if leg.looked_for[place] is not None]
    for place in places:
        found[place][leg.name] = []
    size = max(1, ROWS_PER_CALL // rows)
    for start in range(0, len(able), size):
        piece = able[start : start + size]
        answers = leg.search([leg.looked_for[place] for place in piece], rows)
        for place, matches in zip(piece, answers, strict=True):
            found[place][leg.name] = matches


def fuse(
    query: StandardQuery, found: Found, known: Mapping[AssetId, Known], settings: Search
) -> list[Candidate]:
    """Reciprocal rank fusion over products: in each leg a product stands where its best live row
    stands.

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
        product: sum(1 / (settings.rrf_k + rank) for rank in legs.values())
        for product, legs in ranks.items()
        if legs
    }
    order = sorted(fused, key=lambda product: (-fused[product], product))[: settings.candidates]
    return [
        _candidate(query, product, best[product], known, ranks[product], fused[product])
        for product in order
    ]


def stage(
    *, stores: Stores, clip: Embedder, sbert: Embedder, settings: Search, batch: int = 100
) -> Stage[StandardQuery]:
    """The candidates of each query, from the index that the plan names."""
    legs = Legs(stores.index, clip, sbert)
    planned: list[Target] = []

    def items(shard: Shard) -> list[StandardQuery]:
        plan = read_plan(stores.work, shard.batch)
        _check_spaces(plan, clip, sbert)
        planned[:] = [of_search_plan(plan, stores)]
        return cast(list[StandardQuery], shard.read("standard", StandardQuery))

    def run(queries: Sequence[StandardQuery], tally: Tally) -> list[Outcome]:
        (target,) = planned
        retrieved = retrieve(
            queries, legs.for_queries(target.collection, queries), stores, target, settings
        )
        tally["searches"] += sum(len(each.found) for each in retrieved)
        return [each.candidates for each in retrieved]

    return Stage(
        recipe=recipe(settings, clip.name, sbert.name),
        reads={"standard": "standardize"},
        writes={"candidates": Candidate},
        items=items,
        id_of=lambda query: query.query_key,
        work=run,
        batch=batch,
    )


def _check_spaces(plan: Plan, clip: Embedder, sbert: Embedder) -> None:
    """ModelMismatch if queries would be embedded otherwise than the index's rows were."""
    check_recipe(embed_image.recipe(clip.name), plan)
    check_recipe(embed_text.recipe(sbert.name), plan)


def sellable(
    queries: Sequence[StandardQuery],
    found: Sequence[Found],
    stores: Stores,
    target: Target,
    settings: Search,
) -> list[list[Candidate]]:
    """Candidates of live rows of products that the feed has in stock; the ledger is asked once for
    all."""
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
