"""The index, by what is asked of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    PixelsId,
    ProductId,
    RowId,
)
from mmsearch_core.records.ranking import Match
from mmsearch_core.records.row import IndexRow, StoredRow


class Collections(Protocol):
    """Collections of rows, and the aliases that name them."""

    def create(self, collection: str, dimensions: Mapping[str, int]) -> str:
        """Make the collection with one vector field a space, unless it is there, and return its
        uuid."""

    def uuid(self, collection: str) -> str | None:
        """The uuid given at creation, or None where there is no such collection."""

    def resolve(self, alias: str) -> str | None:
        """The collection that the alias names."""

    def switch(self, alias: str, collection: str) -> None:
        """Point the alias, made if need be, at the collection."""

    def drop(self, collection: str) -> None:
        """Remove the collection; no error where there is none."""


class Rows(Protocol):
    """The rows of a collection, written and read back. Reads see every acknowledged write.

    ``writer`` is the fencing token of the lease under which rows are written. StageMissing where
    rows go to a collection that is not there.
    """

    def upsert(self, collection: str, rows: Sequence[IndexRow], *, writer: int = 0) -> None:
        """Write rows by primary key, beside older builds."""

    def retire(
        self, collection: str, keep: Mapping[AssetId, Collection[RowId]], *, writer: int = 0
    ) -> int:
        """Delete the rows of these assets other than those to keep; returns how many. Rows of later
        writers stay: one that lost its lease while it slept takes nothing from its successor."""

    def remove_rows(
        self, collection: str, rows: Sequence[RowId], *, writer: int = 0
    ) -> list[RowId]:
        """Delete these rows, but for those of later writers; returns those that were there."""

    def builds(self, collection: str) -> Iterator[tuple[str, AssetId, Build]]:
        """(row id, asset, build) of every row."""

    def row_columns(self, collection: str) -> Iterator[pa.RecordBatch]:
        """``ROW_COLUMNS`` of every row; ``content`` is "" in a collection of an earlier schema."""

    def rows_of(self, collection: str, assets: Sequence[AssetId]) -> Iterator[StoredRow]:
        """The rows of these assets, vectors included."""

    def rows_of_product(self, collection: str, product: ProductId) -> Iterator[StoredRow]:
        """The rows of this product, vectors included."""

    def rows_between(self, collection: str, first: str, last: str) -> Iterator[StoredRow]:
        """The rows with ``first <= row id < last``, vectors included."""

    def greatest_writer(self, collection: str) -> int:
        """The greatest fencing token under which a row was written; 0 where there is no row."""

    def pixels(self, collection: str) -> Iterator[tuple[AssetId, PixelsId]]:
        """(asset, pixels) of every row; several rows of an asset may refer to the same pixels."""


class NearestRows(Protocol):
    """Search by vector."""

    def search(
        self, collection: str, space: str, vectors: Sequence[Vector], limit: int
    ) -> list[list[Match]]:
        """The nearest rows to each vector by cosine similarity, best first; one batched call."""


class MatchingText(Protocol):
    """Search by words."""

    def search_text(
        self, collection: str, language: str, texts: Sequence[str], limit: int
    ) -> list[list[Match]]:
        """The best rows for each text by BM25 in the language ("en", "zh"); a text without words
        finds nothing."""


class VectorIndex(Collections, Rows, NearestRows, MatchingText, Protocol):
    """An index that can do all of it, like Milvus."""
