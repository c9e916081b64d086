"""The searchable unit: a whole picture, a page of a document, or a span of a video."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from mmsearch_core.records.ids import AssetId, PixelsId, ProductId, SegmentId, digest
from mmsearch_core.records.question import Frame
from mmsearch_core.records.table import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The asset itself, with no place in it: of a picture, its only segment."""

    def __str__(self) -> str:
        return "whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a document, counted from 1, or what stands in a box of it: left, top, right and
    bottom in thousandths of the page."""

    number: int
    box: Box | None = None

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"pages are counted from 1, not {self.number}")

    def __str__(self) -> str:
        box = "@" + ",".join(map(str, self.box)) if self.box else ""
        return f"page:{self.number}{box}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a video, in seconds from its start."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span runs forward from 0: {self.start} to {self.end}")

    def __str__(self) -> str:
        return f"span:{self.start:.3f}-{self.end:.3f}"


Where = Whole | Page | Span
# what a piece of text that can be found is about
PassageKind = Literal["caption", "event", "table_row", "page_text"]


def parse_where(text: str) -> Where:
    """The inverse of ``str(where)``; ValueError for anything else."""
    kind, _, rest = text.partition(":")
    if text == "whole":
        return Whole()
    if kind == "page":
        number, at, sides = rest.partition("@")
        return Page(number=int(number), box=_parse_box(sides) if at else None)
    if kind == "span":
        start, _, end = rest.partition("-")
        return Span(start=float(start), end=float(end))
    raise ValueError(f"not a place in an asset: {text!r}")


def _parse_box(text: str) -> Box:
    left, top, right, bottom = map(int, text.split(","))
    return left, top, right, bottom


def fragment(where: Where) -> str:
    """What stands behind the # of an address that opens an asset at this place: seconds of a video
    (Media Fragments URI 1.0), the page of a PDF (RFC 8118)."""
    if isinstance(where, Page):
        return f"page={where.number}"
    return f"t={where.start:.1f}" if isinstance(where, Span) else ""


def parse_kind(text: str) -> PassageKind:
    """The kind of a passage that is called so; ValueError where there is none."""
    for kind in get_args(PassageKind):
        if kind == text:
            return cast(PassageKind, kind)
    raise ValueError(f"not a kind of passage: {text!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A place in an asset with its normalised picture (``pixels`` names it in the store, and beside
    it the frames of a span of a video) and the text found there."""

    segment_id: SegmentId
    asset_id: AssetId
    product_id: ProductId
    where: Where
    pixels: PixelsId
    text: str = ""
    missing: float = 0.0  # on the last of a video: seconds of it that could not be read


def segment_id(asset: AssetId, where: Where) -> SegmentId:
    """The id of a place in an asset."""
    return SegmentId(digest("segment", asset, str(where)))


def pixels_id(*, source_sha256: str, where: Where, decode_recipe: str) -> PixelsId:
    """The id of a normalised picture: equal bytes, decoded alike, have equal pixels."""
    return PixelsId(digest("pixels", source_sha256, str(where), decode_recipe))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A normalised picture (JPEG, RGB, upright, bounded), the text that its place holds by itself,
    and of a span of a video the frames that show it."""

    where: Where
    jpeg: bytes
    text: str = ""
    frames: tuple[Frame, ...] = ()  # in the order of time
    missing: float = 0.0  # on the last of a video: seconds of it that could not be read
