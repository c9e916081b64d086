"""The moments of a product's videos that show best what is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmsearch_core.errors import BadRecord, StageMissing
from mmsearch_core.ports.models import Embedder
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.ids import AssetId, PixelsId, ProductId
from mmsearch_core.records.row import IndexRow
from mmsearch_core.records.segment import Span, fragment
from mmsearch_core.records.target import Target

SAME = 0.5  # of the shorter of two clips that lies in the other, from which on they are one


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A moment of a video, in seconds on a player's clock, and what is said to happen in it."""

    asset_id: AssetId
    key: str
    start: float
    end: float
    fragment: str  # behind the object's address, it opens the video at that moment
    pixels: PixelsId  # of the picture of its shot
    why: str
    likeness: float  # cosine similarity of what happens and what was asked for


def clips_of(
    product: ProductId, asked: str, stores: Stores, target: Target, sbert: Embedder
) -> list[Clip]:
    """Clips of the product's videos, best first; none that shows mostly what a better one shows.

    :param asked: what they should show; the product's own title where it is "".
    :raises StageMissing: nothing of a video of this product is in the index.
    """
    known = stores.ledger.products([product]).get(product)
    rows = _live_rows(product, stores, target)
    happening = [(row, key) for row, key in rows if row.kind == "event"] or rows
    if known is None or not happening:
        raise StageMissing(
            f"The index holds no video of the product {product}: correct the id, or add a video"
            " (mmsearch add)."
        )
    text = asked or " ".join(known.title[language] for language in sorted(known.title))
    (vector,) = sbert.embed([text or str(product)])
    if isinstance(vector, BadRecord):
        raise vector
    clips = []
    for row, key in happening:
        meant = row.vectors[sbert.space]
        likeness = float(np.dot(meant, vector)) if meant is not None else -1.0
        clips.append(_clip(row, key, likeness))
    clips.sort(key=lambda clip: (-round(clip.likeness, 6), clip.key, clip.start))
    return _different(clips)


def _live_rows(product: ProductId, stores: Stores, target: Target) -> list[tuple[IndexRow, str]]:
    """The rows of spans whose build is live, each with the key of its video."""
    stored = stores.index.rows_of_product(target.collection, product)
    rows = [found.row for found in stored if isinstance(found.row.where, Span)]
    known = stores.ledger.look_up(target.target_id, list({row.asset_id for row in rows}))
    live = []
    for row in rows:
        asset = known.get(row.asset_id)
        if asset and asset.live_build == row.build:
            live.append((row, asset.key))
    return live


def _clip(row: IndexRow, key: str, likeness: float) -> Clip:
    assert isinstance(row.where, Span)
    return Clip(
        asset_id=row.asset_id,
        key=key,
        start=row.where.start,
        end=row.where.end,
        fragment=fragment(row.where),
        pixels=row.pixels,
        why=row.text.partition("\n")[0],
        likeness=round(likeness, 3),
    )


def _different(clips: Sequence[Clip]) -> list[Clip]:
    kept: list[Clip] = []
    for clip in clips:
        if not any(_is_same(clip, better) for better in kept):
            kept.append(clip)
    return kept


def _is_same(one: Clip, other: Clip) -> bool:
    common = min(one.end, other.end) - max(one.start, other.start)
    shorter = min(one.end - one.start, other.end - other.start)
    return one.asset_id == other.asset_id and common > SAME * shorter
