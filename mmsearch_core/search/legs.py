"""The ways to look for a query (CLIP, SBERT, BM25 per language), and how deep each looks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mmsearch_core.errors import BadRecord
from mmsearch_core.ports.index import VectorIndex
from mmsearch_core.ports.models import Embedder
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Match

Found = Mapping[str, Sequence[Match]]  # by leg, best first

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One way to look for queries. ``looked_for`` has one entry per query (a vector or a text),
    None where this leg cannot look for that query; ``search`` takes entries and a number of rows
    and finds rows for each."""

    name: str
    looked_for: Sequence[Any]
    search: Callable[[Sequence[Any], int], list[list[Match]]]


class Legs:
    """The legs of retrieval over one index."""

    def __init__(self, index: VectorIndex, clip: Embedder, sbert: Embedder) -> None:
        self._index, self._clip, self._sbert = index, clip, sbert

    def for_queries(
        self,
        collection: str,
        queries: Sequence[StandardQuery],
        pictures: Sequence[bytes | None] = (),
    ) -> list[Leg]:
        """All legs; ``pictures`` (normalised, JPEG) are those of queries that have one. The models
        are asked here."""
        wordings = [query.wording.get("en", query.text) for query in queries]
        vectors_of = {
            self._clip.space: self._with_pictures(self._clip.embed(wordings), pictures),
            self._sbert.space: self._sbert.embed(wordings),
        }
        legs = [
            self._by_vector(collection, space, vectors) for space, vectors in vectors_of.items()
        ]
        for language in LANGUAGES:
            texts = [" ".join(query.keywords.get(language, ())) for query in queries]
            search = partial(self._index.search_text, collection, language)
            legs.append(Leg(name=f"bm25_{language}", looked_for=texts, search=search))
        return legs

    def for_picture(self, collection: str, picture: bytes) -> list[Leg]:
        """The one leg that needs no words, for one query."""
        return [self._by_vector(collection, self._clip.space, self._clip.embed([picture]))]

    def _by_vector(self, collection: str, space: str, vectors: Sequence[Vector | BadRecord]) -> Leg:
        looked_for = [None if isinstance(vector, BadRecord) else vector for vector in vectors]
        return Leg(
            name=space, looked_for=looked_for, search=partial(self._index.search, collection, space)
        )

    def _with_pictures(
        self, said: Sequence[Vector | BadRecord], pictures: Sequence[bytes | None]
    ) -> list[Vector | BadRecord]:
        """Words and picture as one vector, their sum: it finds better than two legs do."""
        vectors = list(said)
        places = [place for place, picture in enumerate(pictures) if picture]
        shown = self._clip.embed([picture for picture in pictures if picture]) if places else []
        for place, seen in zip(places, shown, strict=True):
            vectors[place] = _sum(vectors[place], seen)
        return vectors


def _sum(said: Vector | BadRecord, seen: Vector | BadRecord) -> Vector | BadRecord:
    if isinstance(seen, BadRecord):
        return said
    both = seen if isinstance(said, BadRecord) else said + seen
    unit: Vector = (both / max(float(np.linalg.norm(both)), 1e-9)).astype(np.float32)
    return unit
