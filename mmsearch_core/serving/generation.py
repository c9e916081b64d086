"""A generation of published results as it lies in the bucket: a manifest, bucket files of lists,
and a pointer to it.

``results/CURRENT`` names the generation that is served. The generation's manifest names its bucket
files; the key of a query says in which of them its list is. A generation is never changed once it
is current.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mmsearch_core.ahead import ahead
from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import SchemaMismatch, StageMissing
from mmsearch_core.layout import CURRENT, generation_key, products_key
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import GenerationId, ProductId, QueryKey
from mmsearch_core.serving.published_lists import PublishedLists
from mmsearch_core.serving.versioned import Versioned, read_versioned, replace_versioned

# 1: a hit had one ``score``. 2: ``relevance`` and ``fused``; aliases never replace a query's own
# list. 3: the evidence's object is its ``key``, no longer its ``picture``
SCHEMA = 3
LOOKERS = 16  # bucket files that are looked at side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """What ``results/CURRENT`` says. With ``hold``, nothing is published until a person releases
    it."""

    generation: GenerationId
    parent: GenerationId | None
    hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """``results/CURRENT`` as it was read, so that it can be replaced by a conditional write."""

    current: Current
    version: Versioned


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The manifest of a generation. ``content`` is a digest of all bucket files: lists, keys and
    aliases."""

    schema: int
    generation: GenerationId
    parent: GenerationId | None
    content: str
    index: str  # physical collection and ledger commit number
    recipes: Mapping[str, str]
    versions: Mapping[str, str]
    counts: Mapping[str, int]
    # bucket number (hex) to object key, which may lie in an older generation
    buckets: Mapping[str, str]
    checksums: Mapping[str, str]  # sha256 by bucket number
    made_at: str
    # when the plan was made whose results these are; None in schema 1
    planned_at: datetime | None = None
    incomplete: bool = False  # the index was not complete when the plan was made


def bucket_numbers(buckets: int) -> list[str]:
    """The numbers (hex) of so many bucket files."""
    return [f"{number:03x}" for number in range(buckets)]


def bucket_of(key: QueryKey, buckets: int) -> str:
    """The number (hex) of the bucket file that holds a query's list."""
    return f"{int(key[:8], 16) % buckets:03x}"


def read_pointer(store: ObjectStore) -> Pointer | None:
    """The pointer with what replaces it conditionally, or None where there is none."""
    version = read_versioned(store, CURRENT)
    return Pointer(current=from_json(version.data, Current), version=version) if version else None


def read_current(store: ObjectStore) -> Current | None:
    """The pointer, or None before the first publication."""
    data = store.get(CURRENT)
    return from_json(data, Current) if data else None


def flip(store: ObjectStore, current: Current, before: Pointer | None) -> None:
    """Replace the pointer that was read before; PreconditionFailed if it has changed or is gone
    meanwhile."""
    replace_versioned(store, CURRENT, to_json(current), before.version if before else None)


def find_generation(store: ObjectStore, generation: GenerationId) -> Generation | None:
    """The manifest of a generation, or None where there is none; SchemaMismatch if a newer mmsearch
    wrote it."""
    data = store.get(generation_key(generation))
    if data is None:
        return None
    manifest = from_json(data, Generation)
    if manifest.schema > SCHEMA:
        raise SchemaMismatch(
            f"Generation {generation} was published by a newer mmsearch (schema {manifest.schema},"
            f" this one knows {SCHEMA}): update this one."
        )
    return manifest


def read_generation(store: ObjectStore, generation: GenerationId) -> Generation:
    """The manifest of a generation; StageMissing where there is none."""
    manifest = find_generation(store, generation)
    if manifest is None:
        raise StageMissing(
            f"Generation {generation} has no manifest: publish again with precompute_results."
        )
    return manifest


def planned_at(manifest: Generation) -> datetime | None:
    """When the plan of a generation was made; before schema 2, as its name says. None if nothing
    says it."""
    if manifest.planned_at is not None:
        return manifest.planned_at
    try:
        return datetime.strptime(manifest.generation.partition("-")[0], "%Y%m%dT%H%M%S").replace(
            tzinfo=UTC
        )
    except ValueError:
        return None


def read_bucket(store: ObjectStore, manifest: Generation, number: str) -> PublishedLists:
    """The lists of one bucket file; StageMissing where the file is not there, ValueError where it
    is damaged."""
    data = store.get(manifest.buckets[number])
    if data is None:
        raise StageMissing(
            f"{manifest.buckets[number]} is missing: publish again with precompute_results."
        )
    return PublishedLists(data)


def missing_buckets(store: ObjectStore, manifest: Generation) -> set[str]:
    """The numbers of bucket files that the manifest names and the store does not have."""

    def look(number: str) -> str | None:
        return None if store.head(manifest.buckets[number]) else number

    looks = ahead(look, sorted(manifest.buckets), workers=LOOKERS, window=4 * LOOKERS)
    return {number for number in looks if number is not None}


def read_products(store: ObjectStore, manifest: Generation) -> Iterator[list[ProductId]]:
    """The ids of all products in a generation's lists, in batches, each id once. Where the
    generation has no file of them (schema 1), they are collected from its bucket files."""
    data = store.get(products_key(manifest.generation))
    if data is not None:
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches(batch_size=5_000):
            yield [ProductId(product) for product in batch.column("product_id").to_pylist()]
        return
    seen: set[ProductId] = set()
    for number in sorted(manifest.buckets):
        try:
            lists = read_bucket(store, manifest, number).products()
        except StageMissing:
            continue  # nobody is shown what lies in a file that is lost
        products: set[ProductId] = set()
        for listed in lists.values():
            products.update(listed.products)
        yield sorted(products - seen)
        seen |= products
