"""What a document of the suite is, and what people expect to see of it."""

from __future__ import annotations

from dataclasses import dataclass

RED, GREEN, BLUE = (220, 30, 30), (30, 160, 60), (40, 60, 200)
YELLOW, BLACK, GREY, WHITE = (240, 220, 40), (0, 0, 0), (128, 128, 128), (255, 255, 255)
DAMAGED, OTHER = frozenset({"UnreadableMedia"}), frozenset({"UnsupportedMedia"})
LARGE = frozenset({"MediaTooLarge"})
BROKEN = DAMAGED | OTHER
LONGEST_SIDE = 768  # pixels of the longer side of a page's picture
LARGEST = 4  # pixels per point at most, so that a stamp is not blown up

Color = tuple[int, int, int]
Spot = tuple[float, float, Color]  # from the left and from above, in parts of the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A page that shows or says something.

    ``text`` is what it says, a paragraph a line (None: not looked at), ``size`` that of its picture
    in pixels, each side off by at most one (None: not looked at), and ``spots`` are colors of its
    picture, each off by at most ``tolerance``. ``inked`` is whether anything but white is seen
    (None: not looked at).
    """

    number: int = 1
    text: str | None = None
    size: tuple[int, int] | None = None
    spots: tuple[Spot, ...] = ()
    tolerance: int = 40
    inked: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A document.

    ``sheets`` are all pages expected, in order. Where ``fails`` is not empty, one of these failures
    is expected instead, whose sentence says ``says`` (a regular expression). ``either`` allows
    both, and that pages are missing but for those that are ``surely`` there: pages are as expected,
    and nothing else happens.

    ``differs`` is why the product does otherwise than expected; then it has to.
    """

    name: str
    data: bytes
    sheets: tuple[Sheet, ...] = ()
    fails: frozenset[str] = frozenset()
    says: str = ""
    either: bool = False
    surely: frozenset[int] = frozenset()
    differs: str = ""


def drawn(width: float, height: float) -> tuple[int, int]:
    """Size in pixels of the picture of a page of so many points."""
    scale = min(LONGEST_SIDE / max(width, height), LARGEST)
    return round(width * scale), round(height * scale)


def corners(*clockwise: Color) -> tuple[Spot, ...]:
    """Colors of the four quarters of a page, clockwise from the upper left."""
    upper_left, upper_right, lower_right, lower_left = clockwise
    return (
        (0.2, 0.2, upper_left),
        (0.8, 0.2, upper_right),
        (0.8, 0.8, lower_right),
        (0.2, 0.8, lower_left),
    )


QUARTERS = corners(RED, GREEN, BLUE, YELLOW)


def texts(*lines: str) -> tuple[Sheet, ...]:
    """One page per text."""
    sheets = []
    for number, text in enumerate(lines, start=1):
        sheets.append(Sheet(number=number, text=text, inked=True))
    return tuple(sheets)
