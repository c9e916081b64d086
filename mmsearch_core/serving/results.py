"""How a storefront reads published results: the list of a query, without products that were
withdrawn since."""

from collections.abc import Mapping
from typing import Any

from mmsearch_core.errors import StageMissing
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.query import query_key
from mmsearch_core.serving.generation import bucket_of, read_bucket, read_current, read_generation
from mmsearch_core.serving.withdrawn import read_withdrawn


class Results:
    """The current generation, opened for reading."""

    def __init__(self, store: ObjectStore) -> None:
        current = read_current(store)
        if current is None:
            raise StageMissing("Nothing is published yet: run precompute_results first.")
        self._store = store
        self._withdrawn = read_withdrawn(store)
        self.current = current
        self.manifest = read_generation(store, current.generation)

    def look_up(self, text: str, locale: str) -> dict[str, Any] | None:
        """The entry of a query (``query``, ``locale``, ``hits``), or None where the query is not
        among the published.

        Hits of products that were withdrawn since are left out.
        """
        key = query_key(text, locale)
        entry = self.bucket(bucket_of(key, len(self.manifest.buckets))).get(key)
        if entry is None:
            return None
        hits = [_hit(hit) for hit in entry["hits"] if hit["product_id"] not in self._withdrawn]
        return {**entry, "hits": hits}

    def bucket(self, number: str) -> dict[str, Any]:
        """All entries of one bucket file as they stand in it, by query key."""
        return read_bucket(self._store, self.manifest, number)


def _hit(hit: Mapping[str, Any]) -> dict[str, Any]:
    """A hit with its two scores. In schema 1 it had one: the relevance where it was judged, else
    that of fusion."""
    if "score" not in hit:
        return dict(hit)
    judged = hit["verdict"] is not None
    scores = {
        "relevance": hit["score"] if judged else None,
        "fused": None if judged else hit["score"],
    }
    return {**{name: value for name, value in hit.items() if name != "score"}, **scores}
