"""What can be found in a segment, and what lies in Milvus."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    PassageId,
    PixelsId,
    ProductId,
    RecipeId,
    RowId,
    SegmentId,
    digest,
)
from mmsearch_core.records.segment import Where

PassageKind = Literal["caption", "event", "table_row", "page_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of text that can be found, and the place it speaks of. One row each."""

    passage_id: PassageId
    segment_id: SegmentId
    kind: PassageKind
    where: Where
    text: str
    described: bool  # False where the model's description was unusable and only the feed's words are here


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IndexRow:
    """One row of the collection; ``vectors`` by space, None where the passage has none in that space."""

    row_id: RowId
    passage_id: PassageId
    segment_id: SegmentId
    asset_id: AssetId
    product_id: ProductId
    build: Build
    where: Where
    pixels: PixelsId
    text: str
    vectors: Mapping[str, Vector | None]


def passage_id(segment: SegmentId, kind: PassageKind, number: int) -> PassageId:
    """The id of a passage's place: the ``number``-th of its kind in the segment, whatever it says."""
    return PassageId(digest("passage", segment, kind, str(number)))


def build_id(source_version: str, product_text: str, recipes: Mapping[str, RecipeId]) -> Build:
    """The id of a build: these bytes, these words of the feed, these recipes."""
    return Build(digest("build", source_version, product_text, *(f"{k}={v}" for k, v in sorted(recipes.items()))))


def row_id(passage: PassageId, build: Build) -> RowId:
    """The primary key: the same passage of another build is another row, so both can lie side by side."""
    return RowId(digest("row", passage, build))
