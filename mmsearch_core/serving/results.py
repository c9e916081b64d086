"""How a storefront reads published results: the list of a query, without products that were
withdrawn since."""

from dataclasses import replace

from mmsearch_core.errors import StageMissing
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.query import query_key
from mmsearch_core.serving.generation import bucket_of, read_bucket, read_current, read_generation
from mmsearch_core.serving.published_lists import PublishedList, PublishedLists
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

    def look_up(self, text: str, locale: str) -> PublishedList | None:
        """The list of a query, or None where the query is not among the published.

        Hits of products that were withdrawn since are left out.
        """
        key = query_key(text, locale)
        published = self.bucket(bucket_of(key, len(self.manifest.buckets))).find(key)
        if published is None:
            return None
        hits = [hit for hit in published.hits if hit.product_id not in self._withdrawn]
        return replace(published, hits=tuple(hits))

    def bucket(self, number: str) -> PublishedLists:
        """The lists of one bucket file as they stand in it."""
        return read_bucket(self._store, self.manifest, number)
