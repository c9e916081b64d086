"""What a file of the suite is, and the picture that most of them show."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pillow_heif
from PIL import Image

CORNERS = {
    "red": (220, 30, 30),
    "green": (30, 160, 60),
    "blue": (40, 60, 200),
    "yellow": (240, 220, 40),
}
SIZES = ((64, 48), (200, 120), (33, 77))
DAMAGED, OTHER = frozenset({"UnreadableMedia"}), frozenset({"UnsupportedMedia"})
BROKEN = DAMAGED | OTHER
SEEN = tuple(CORNERS.values())


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file. ``corners`` are the colors expected at the corners, clockwise from the upper left
    (None: not looked at); ``size`` is that of the normalised picture. Where ``fails`` is not empty,
    one of these failures is expected instead. ``either`` allows both: what matters is that nothing
    else happens."""

    name: str
    data: bytes
    size: tuple[int, int] | None = None
    corners: tuple[tuple[int, int, int], ...] | None = None
    tolerance: int = 40
    fails: frozenset[str] = frozenset()
    either: bool = False


def quarters(size: tuple[int, int]) -> Image.Image:
    """Red, green, blue and yellow, clockwise from the upper left."""
    picture = Image.new("RGB", size)
    width, height = size
    boxes = (0, 0, width // 2, height // 2), (width // 2, 0, width, height // 2)
    boxes += (width // 2, height // 2, width, height), (0, height // 2, width // 2, height)  # type: ignore[assignment]
    for box, color in zip(boxes, CORNERS.values(), strict=True):
        picture.paste(color, box)
    return picture


def saved(picture: Image.Image, name: str, **options: Any) -> bytes:
    """The bytes of a file of that format."""
    if name == "HEIF":
        pillow_heif.register_heif_opener()  # ours only reads
    out = io.BytesIO()
    picture.save(out, name, **options)
    return out.getvalue()
