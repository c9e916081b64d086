"""A vector index in memory: exact search, and a BM25-like count of shared words."""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mmsearch_core.errors import StageMissing
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import AssetId, Build, PixelsId
from mmsearch_core.records.ranking import Match
from mmsearch_core.records.row import IndexRow

WORDS = {"en": re.compile(r"[a-z0-9]+"), "zh": re.compile(r"[\u4e00-\u9fff]")}


class MemoryIndex:
    """``writes`` counts rows written and rows retired."""

    def __init__(self) -> None:
        self.writes = 0
        self._rows: dict[str, dict[str, IndexRow]] = {}
        self._writers: dict[str, int] = {}
        self._uuids: dict[str, str] = {}
        self._aliases: dict[str, str] = {}

    def create(self, collection: str, dimensions: Mapping[str, int]) -> str:  # noqa: ARG002
        self._rows.setdefault(collection, {})
        return self._uuids.setdefault(collection, uuid.uuid4().hex)

    def uuid(self, collection: str) -> str | None:
        return self._uuids.get(collection)

    def upsert(self, collection: str, rows: Sequence[IndexRow], *, writer: int = 0) -> None:
        if collection not in self._rows:
            raise StageMissing(f"The collection {collection} is gone: run catalog_refresh to build it again.")
        self._rows[collection].update({row.row_id: row for row in rows})
        self._writers.update({row.row_id: writer for row in rows})
        self.writes += len(rows)

    def retire(self, collection: str, keep: Mapping[AssetId, Build | None], *, writer: int = 0) -> int:
        rows = self._rows.get(collection, {})
        old = [row for name, row in rows.items() if row.asset_id in keep and self._writers[name] <= writer]
        gone = [row.row_id for row in old if row.build != keep[row.asset_id]]
        for name in gone:
            del rows[name]
        self.writes += len(gone)
        return len(gone)

    def search(self, collection: str, space: str, vectors: Sequence[Vector], limit: int) -> list[list[Match]]:
        rows = [(row, vector) for row in self._rows[collection].values() if (vector := row.vectors[space]) is not None]
        return [_best([(row, float(np.dot(vector, asked))) for row, vector in rows], limit) for asked in vectors]

    def search_text(self, collection: str, language: str, texts: Sequence[str], limit: int) -> list[list[Match]]:
        found = []
        for text in texts:
            words = WORDS[language].findall(text.lower())
            scored = [
                (row, float(sum(WORDS[language].findall(row.text.lower()).count(word) for word in words)))
                for row in self._rows[collection].values()
            ]
            found.append(_best([(row, score) for row, score in scored if score], limit))
        return found

    def builds(self, collection: str) -> Iterator[tuple[str, AssetId, Build]]:
        yield from [(row.row_id, row.asset_id, row.build) for row in self._rows[collection].values()]

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
            where=row.where,
            pixels=row.pixels,
            text=row.text,
            score=score,
        )
        for row, score in scored[:limit]
    ]
