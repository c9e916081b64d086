"""A look at what was published: the most popular queries with the pictures of their first hits."""

from collections.abc import Sequence
from typing import Any

from mmsearch_core.layout import pixels_key
from mmsearch_core.pages.run.thumbnails import thumbnails
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ranking import Candidate, ResultSet
from mmsearch_core.shards.shard import Shard

QUERIES = 12
HITS = 6


def shown(
    results: Sequence[ResultSet], shards: Sequence[Shard], work: ObjectStore
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """The first queries as a page shows them, and the thumbnails that they name; ``shards`` know
    the pictures."""
    candidates = [found for shard in shards for found in shard.read("candidates", Candidate)]
    pixels = {(found.query_key, found.product_id): pixels_key(found.pixels) for found in candidates}
    queries: list[dict[str, Any]] = [
        {
            "text": result.query,
            "locale": result.locale,
            "hits": len(result.hits),
            "pictures": [
                {"product": hit.product_id, "picture": key}
                for hit in result.hits[:HITS]
                if (key := pixels.get((result.query_key, hit.product_id)))
            ],
        }
        for result in results[:QUERIES]
    ]
    named = {picture["picture"] for query in queries for picture in query["pictures"]}
    there = {key: data for key in sorted(named) if (data := work.get(key))}
    return queries, thumbnails(there)
