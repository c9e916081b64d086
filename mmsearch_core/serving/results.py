"""Where published results lie and how a storefront reads them: CURRENT names a generation, the generation's manifest
names its bucket files, and a query's key says in which of them its result is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmsearch_core.codec import from_json
from mmsearch_core.errors import StageMissing
from mmsearch_core.ports import ObjectStore
from mmsearch_core.records.ids import GenerationId, QueryKey
from mmsearch_core.records.query import query_key

CURRENT = "results/CURRENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The one pointer. ``hold``: a person went back to this generation, and nothing is published until released."""

    generation: GenerationId
    parent: GenerationId | None
    hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What a generation is made of. ``content`` is a digest of all results: equal content, equal generation."""

    schema: int
    generation: GenerationId
    parent: GenerationId | None
    content: str
    index: str  # physical collection and ledger commit number
    recipes: Mapping[str, str]
    versions: Mapping[str, str]
    counts: Mapping[str, int]
    buckets: Mapping[str, str]  # bucket number (hex) to object key, which may lie in an older generation
    checksums: Mapping[str, str]  # sha256 by bucket number
    made_at: str


def generation_key(generation: GenerationId) -> str:
    """Where a generation's manifest lies."""
    return f"results/{generation}/manifest.json"


def bucket_of(key: QueryKey, buckets: int) -> str:
    """The number of the bucket file that holds a query's result, in hex."""
    return f"{int(key[:8], 16) % buckets:03x}"


def read_current(store: ObjectStore) -> Current | None:
    """The pointer, or None before the first publication."""
    data = store.get(CURRENT)
    return from_json(data, Current) if data else None


def read_generation(store: ObjectStore, generation: GenerationId) -> Generation:
    """The manifest of a generation."""
    data = store.get(generation_key(generation))
    if data is None:
        raise StageMissing(f"Generation {generation} has no manifest: publish again with precompute_results.")
    return from_json(data, Generation)


class Results:
    """One generation, opened for reading."""

    def __init__(self, store: ObjectStore) -> None:
        current = read_current(store)
        if current is None:
            raise StageMissing("Nothing is published yet: run precompute_results first.")
        self._store = store
        self.current = current
        self.manifest = read_generation(store, current.generation)

    def look_up(self, text: str, locale: str) -> dict[str, Any] | None:
        """The published result of a query as it stands in its file, or None where the query is not among them."""
        key = query_key(text, locale)
        return self.bucket(bucket_of(key, len(self.manifest.buckets))).get(key)

    def bucket(self, number: str) -> dict[str, Any]:
        """All results of one bucket file, by query key."""
        data = self._store.get(self.manifest.buckets[number])
        if data is None:
            raise StageMissing(f"{self.manifest.buckets[number]} is missing: publish again with precompute_results.")
        content: dict[str, Any] = json.loads(data)
        return content
