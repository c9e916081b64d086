"""A vector index in memory: exact search, and a BM25-like count of shared words."""

import re
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from mmsearch_core.errors import StageMissing
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import AssetId, Build, PixelsId, ProductId, RowId
from mmsearch_core.records.ranking import Match
from mmsearch_core.records.row import ROW_COLUMNS, IndexRow, StoredRow

WORDS = {"en": re.compile(r"[a-z0-9]+"), "zh": re.compile(r"[\u4e00-\u9fff]")}


class MemoryIndex:
    """``writes`` counts rows written and rows retired."""

    def __init__(self) -> None:
        self.writes = 0
        self._rows: dict[str, dict[str, IndexRow]] = {}
        self._writers: dict[str, int] = {}
        self._contents: dict[str, str] = {}
        self._uuids: dict[str, str] = {}
        self._aliases: dict[str, str] = {}

    def create(self, collection: str, dimensions: Mapping[str, int]) -> str:  # noqa: ARG002 of the protocol
        self._rows.setdefault(collection, {})
        return self._uuids.setdefault(collection, uuid.uuid4().hex)

    def uuid(self, collection: str) -> str | None:
        return self._uuids.get(collection)

    def upsert(self, collection: str, rows: Sequence[IndexRow], *, writer: int = 0) -> None:
        if collection not in self._rows:
            raise StageMissing(
                f"The collection {collection} is gone: run catalog_refresh to build it again."
            )
        self._rows[collection].update({row.row_id: row for row in rows})
        self._writers.update({row.row_id: writer for row in rows})
        self._contents.update({row.row_id: row.content for row in rows})
        self.writes += len(rows)

    def retire(
        self, collection: str, keep: Mapping[AssetId, Collection[RowId]], *, writer: int = 0
    ) -> int:
        rows = self._rows.get(collection, {}).values()
        gone = [
            row.row_id
            for row in rows
            if row.asset_id in keep and row.row_id not in keep[row.asset_id]
        ]
        return len(self.remove_rows(collection, gone, writer=writer))

    def remove_rows(
        self, collection: str, rows: Sequence[RowId], *, writer: int = 0
    ) -> list[RowId]:
        there = self._rows.get(collection, {})
        gone = [name for name in rows if name in there and self._writers[name] <= writer]
        for name in gone:
            del there[name]
        self.writes += len(gone)
        return gone

    def search(
        self, collection: str, space: str, vectors: Sequence[Vector], limit: int
    ) -> list[list[Match]]:
        found = []
        for asked in vectors:
            scored = []
            for row in self._rows[collection].values():
                vector = row.vectors[space]
                if vector is not None:
                    scored.append((row, float(np.dot(vector, asked))))
            found.append(_best(scored, limit))
        return found

    def search_text(
        self, collection: str, language: str, texts: Sequence[str], limit: int
    ) -> list[list[Match]]:
        found = []
        for text in texts:
            words = WORDS[language].findall(text.lower())
            scored = []
            for row in self._rows[collection].values():
                there = WORDS[language].findall(row.text.lower())
                score = sum(there.count(word) for word in words)
                if score:
                    scored.append((row, float(score)))
            found.append(_best(scored, limit))
        return found

    def builds(self, collection: str) -> Iterator[tuple[str, AssetId, Build]]:
        yield from [
            (row.row_id, row.asset_id, row.build) for row in self._rows[collection].values()
        ]

    def row_columns(self, collection: str) -> Iterator[pa.RecordBatch]:
        rows = list(self._rows[collection].values())
        if rows:
            columns: dict[str, list[object]] = {name: [] for name in ROW_COLUMNS.names}
            for row in rows:
                columns["row_id"].append(str(row.row_id))
                columns["asset_id"].append(str(row.asset_id))
                columns["build"].append(str(row.build))
                columns["content"].append(self._contents[row.row_id])
                columns["writer"].append(self._writers[row.row_id])
            yield pa.RecordBatch.from_pydict(columns, schema=ROW_COLUMNS)

    def rows_of(self, collection: str, assets: Sequence[AssetId]) -> Iterator[StoredRow]:
        return self._stored(collection, lambda row: row.asset_id in assets)

    def rows_of_product(self, collection: str, product: ProductId) -> Iterator[StoredRow]:
        return self._stored(collection, lambda row: row.product_id == product)

    def rows_between(self, collection: str, first: str, last: str) -> Iterator[StoredRow]:
        return self._stored(collection, lambda row: first <= row.row_id < last)

    def greatest_writer(self, collection: str) -> int:
        return max((self._writers[name] for name in self._rows[collection]), default=0)

    def _stored(self, collection: str, wanted: Callable[[IndexRow], bool]) -> Iterator[StoredRow]:
        for row in [row for row in self._rows[collection].values() if wanted(row)]:
            yield StoredRow(
                row=row, content=self._contents[row.row_id], writer=self._writers[row.row_id]
            )

    def pixels(self, collection: str) -> Iterator[tuple[AssetId, PixelsId]]:
        yield from [(row.asset_id, row.pixels) for row in self._rows[collection].values()]

    def resolve(self, alias: str) -> str | None:
        return self._aliases.get(alias)

    def switch(self, alias: str, collection: str) -> None:
        self._aliases[alias] = collection

    def drop(self, collection: str) -> None:
        self._rows.pop(collection, None)
        self._uuids.pop(collection, None)


def _best(scored: list[tuple[IndexRow, float]], limit: int) -> list[Match]:
    scored.sort(key=lambda pair: (-pair[1], pair[0].row_id))
    return [
        Match(
            passage_id=row.passage_id,
            segment_id=row.segment_id,
            asset_id=row.asset_id,
            build=row.build,
            kind=row.kind,
            where=row.where,
            pixels=row.pixels,
            text=row.text,
            score=score,
        )
        for row, score in scored[:limit]
    ]
