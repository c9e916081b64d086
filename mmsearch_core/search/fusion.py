"""What the legs found becomes products that can be shown, fused by rank."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from mmsearch_core.media import kind_of
from mmsearch_core.media.document import DOCUMENT
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.commit import Known
from mmsearch_core.records.ids import AssetId, PassageId, ProductId, SegmentId
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Candidate, Look, Match
from mmsearch_core.records.target import Target
from mmsearch_core.search.legs import (
    Found,
)
from mmsearch_core.settings import Search

Scored = tuple[Match, float]
LOOKS = 8  # of a product, at most


@dataclass(frozen=True, slots=True)
class _Product:
    """What the legs found of a product: its rank in each, and its best row there with what that
    adds to its score; and what is seen of it."""

    ranks: dict[str, int] = field(default_factory=dict)
    best: list[Scored] = field(default_factory=list)
    looks: dict[Look, None] = field(default_factory=dict)

    @property
    def fused(self) -> float:
        """The product's score in fusion, which is what its rows in all legs add."""
        return sum(score for _, score in self.best)


def _weighted(found: Found, settings: Search) -> dict[str, tuple[Sequence[Match], float]]:
    """What each leg found, with its weight; legs without any are left out."""
    weights = {leg: settings.weights.get(leg, 1.0) for leg in found}
    return {leg: (found[leg], weight) for leg, weight in weights.items() if weight}


def fuse(
    query: StandardQuery, found: Found, known: Mapping[AssetId, Known], settings: Search
) -> list[Candidate]:
    """Weighted reciprocal rank fusion over products: in each leg a product stands where its best
    live row stands, and its evidence is the place that most of the legs found, by their weights.

    Rows whose build is not live in the ledger are dropped. Ties by product id.
    """
    products: dict[ProductId, _Product] = defaultdict(_Product)
    for leg, (matches, weight) in _weighted(found, settings).items():
        place = 0
        for match in matches:
            asset = known.get(match.asset_id)
            if asset is None or asset.live_build != match.build:
                continue
            product = products[asset.product_id]
            kind = kind_of(asset.key)
            if kind != DOCUMENT.name:
                product.looks[Look(pixels=match.pixels, kind=kind)] = None
            if leg not in product.ranks:
                place += 1
                product.ranks[leg] = place
                product.best.append((match, weight / (settings.rrf_k + place)))
    order = sorted(products, key=lambda name: (-products[name].fused, name))
    return [_candidate(query, name, products[name], known) for name in order[: settings.candidates]]


def evidence(found: Sequence[Scored]) -> Match:
    """The best row of a product: in the segment that the legs agree on most, the passage that they
    agree on most. Of equal segments that of the first leg, which sees; of equal passages that of
    the last, since all passages of a segment look alike.

    :param found: the product's best row in each leg that found it, with what the leg adds to the
        product's fused score.
    """
    segments: dict[SegmentId, float] = defaultdict(float)
    passages: dict[PassageId, float] = defaultdict(float)
    for match, score in found:
        segments[match.segment_id] += score
        passages[match.passage_id] += score
    segment = max(segments, key=lambda name: segments[name])
    inside = [match for match, _ in reversed(found) if match.segment_id == segment]
    return max(inside, key=lambda match: passages[match.passage_id])


def sellable(
    queries: Sequence[StandardQuery],
    found: Sequence[Found],
    stores: Stores,
    target: Target,
    settings: Search,
) -> list[list[Candidate]]:
    """Candidates of live rows of products that the feed has in stock; the ledger is asked once for
    all."""
    known = for_sale(found, stores, target)
    return [fuse(query, legs, known, settings) for query, legs in zip(queries, found, strict=True)]


def for_sale(found: Sequence[Found], stores: Stores, target: Target) -> dict[AssetId, Known]:
    """The assets among what was found whose products the feed has in stock."""
    assets = {match.asset_id for legs in found for matches in legs.values() for match in matches}
    known = stores.ledger.look_up(target.target_id, list(assets))
    products = stores.ledger.products(list({asset.product_id for asset in known.values()}))
    return {
        name: asset
        for name, asset in known.items()
        if asset.product_id in products and products[asset.product_id].in_stock
    }


def _candidate(
    query: StandardQuery, name: ProductId, product: _Product, known: Mapping[AssetId, Known]
) -> Candidate:
    match = evidence(product.best)
    return Candidate(
        query_key=query.query_key,
        product_id=name,
        asset_id=match.asset_id,
        segment_id=match.segment_id,
        passage_id=match.passage_id,
        key=known[match.asset_id].key,
        kind=match.kind,
        where=match.where,
        pixels=match.pixels,
        text=match.text,
        ranks=dict(sorted(product.ranks.items())),
        fused=round(product.fused, 9),
        looks=tuple(islice(product.looks, LOOKS)),
    )
