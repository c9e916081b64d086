"""A look at what was published: the most popular queries with the pictures of their first hits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmsearch_core.layout import pixels_key
from mmsearch_core.pages.run.thumbnails import thumbnails
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import ProductId, QueryKey
from mmsearch_core.records.ranking import Candidate, ResultSet
from mmsearch_core.shards.shard import Shard

QUERIES = 12
HITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownHit:
    """A hit as a page shows it; ``picture`` names its thumbnail."""

    product: ProductId
    picture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQuery:
    """A query as a page shows it, with its first hits that have a picture."""

    text: str
    locale: str
    hits: int
    pictures: tuple[ShownHit, ...]


def shown(
    results: Sequence[ResultSet], shards: Sequence[Shard], work: ObjectStore
) -> tuple[list[ShownQuery], dict[str, bytes]]:
    """The first queries as a page shows them, and the thumbnails that they name; ``shards`` know
    the pictures."""
    candidates = [found for shard in shards for found in shard.read("candidates", Candidate)]
    pixels = {(found.query_key, found.product_id): pixels_key(found.pixels) for found in candidates}
    queries = [_shown(result, pixels) for result in results[:QUERIES]]
    named: set[str] = set()  # the same picture may be a hit of many queries
    for query in queries:
        named.update(hit.picture for hit in query.pictures)
    there = {key: data for key in sorted(named) if (data := work.get(key))}
    return queries, thumbnails(there)


def _shown(result: ResultSet, pixels: Mapping[tuple[QueryKey, ProductId], str]) -> ShownQuery:
    pictures = []
    for hit in result.hits[:HITS]:
        key = pixels.get((result.query_key, hit.product_id))
        if key:
            pictures.append(ShownHit(product=hit.product_id, picture=key))
    return ShownQuery(
        text=result.query,
        locale=result.locale,
        hits=len(result.hits),
        pictures=tuple(pictures),
    )
