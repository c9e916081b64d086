"""Evidence, opinion, decision: three types, so that scores of different scales never meet in one
float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mmsearch_core.records.asset import Kind
from mmsearch_core.records.ids import (
    AssetId,
    PairId,
    PassageId,
    PixelsId,
    ProductId,
    QueryKey,
    SegmentId,
)
from mmsearch_core.records.segment import PassageKind, Where, fragment

Verdict = Literal["相关", "不相关"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A row that one leg of retrieval found; the score is on that leg's own scale, higher is
    nearer."""

    passage_id: PassageId
    segment_id: SegmentId
    asset_id: AssetId
    build: str
    kind: PassageKind
    where: Where
    pixels: PixelsId
    text: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A picture or shot of a product, by its pixels; ``kind`` is that of its asset."""

    pixels: PixelsId
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The best place found in one product for one query; ``ranks`` is its rank in each leg that
    found it, from 1. ``looks`` are the pictures and shots of the product that were found, whether
    or not that place is one of them."""

    query_key: QueryKey
    product_id: ProductId
    asset_id: AssetId
    segment_id: SegmentId
    passage_id: PassageId
    key: str  # in the catalog bucket
    where: Where
    pixels: PixelsId
    text: str
    ranks: Mapping[str, int]
    fused: float  # reciprocal rank fusion
    kind: PassageKind = "caption"  # of the passage
    looks: tuple[Look, ...] = ()

    def evidence(self, reason: str = "") -> Evidence:
        """The place found, as it is shown; ``reason`` is the judge's."""
        return Evidence(
            asset_id=self.asset_id,
            key=self.key,
            where=self.where,
            text=self.text,
            reason=reason,
            fragment=fragment(self.where),
            pixels=self.pixels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScore:
    """A model's score of a query against a picture and its text, as the memo keeps it. It names no
    product and no place, since the same picture may belong to several products and may move between
    them.

    ``pair_id`` names the pair as the model read it. An older version kept that name under
    ``judged_id``.
    """

    pair_id: PairId
    relevance: float  # the model's score, 0 to 1
    judged_id: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.relevance <= 1:
            raise ValueError(f"relevance lies between 0 and 1, not {self.relevance}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What ``judge`` (a model and prompt, or a person) thinks of one candidate: relevance from 0 to
    1."""

    pair_id: PairId
    query_key: QueryKey
    product_id: ProductId
    segment_id: SegmentId
    relevance: float
    verdict: Verdict
    reason: str
    judge: str

    def __post_init__(self) -> None:
        if not 0 <= self.relevance <= 1:
            raise ValueError(f"relevance lies between 0 and 1, not {self.relevance}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why this product: the object and the place in it, what was read there, and the judge's
    reason.

    ``fragment`` behind the object's address opens it at that place ("t=23.0", "page=3"; "" for a
    whole picture). ``pixels`` names the picture of the place, in the work bucket.
    """

    asset_id: AssetId
    key: str
    where: Where
    text: str
    reason: str
    fragment: str = ""
    pixels: PixelsId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A decision to show this product.

    ``relevance`` (0 to 1) and ``verdict`` are the judge's, None where nobody vouches for the
    product. ``fused`` is the score of rank fusion; it says something within one list only.
    """

    product_id: ProductId
    relevance: float | None
    fused: float
    verdict: Verdict | None
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultSet:
    """The finished answer to one query; ``weight`` says how popular the query is."""

    query_key: QueryKey
    query: str
    locale: str
    weight: float
    aliases: tuple[QueryKey, ...]
    hits: tuple[Hit, ...]
