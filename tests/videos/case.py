"""What a file of the suite is, and what people expect to see of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

COLORS = {
    "red": (220, 30, 30),
    "green": (30, 160, 60),
    "blue": (40, 60, 200),
    "yellow": (240, 220, 40),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
}
SIZES = (
    (64, 48),
    (96, 160),
    (320, 240),
    (240, 320),
    (33, 77),
    (161, 121),
    (100, 38),
    (16, 16),
    (320, 32),
    (32, 320),
    (426, 240),
    (202, 50),
)
DAMAGED, OTHER = frozenset({"UnreadableMedia"}), frozenset({"UnsupportedMedia"})
LARGE = frozenset({"MediaTooLarge"})
BROKEN = DAMAGED | OTHER
ANY = BROKEN | LARGE

Color = tuple[int, int, int]
Scene = tuple[str, float]  # the name of a color, and for how many seconds
Stretch = tuple[float, float]  # from and until when, in seconds on a player's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is seen from a time on, until the next sight begins."""

    since: float  # seconds on a player's clock
    color: Color


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file.

    ``shots`` are the stretches expected, each off by at most ``slack`` seconds (None: not looked
    at), and ``sights`` the colors that frames show between them, each off by at most ``tolerance``
    (empty: not looked at). Where ``marked``, the upper left corner is white and the other corners
    are not. ``size`` is that of the key frames. Between two frames of a shot, before the first and
    behind the last, are at most ``gap`` seconds (None: not looked at). ``missing`` is whether the
    last shot says that seconds could not be read (None: not looked at).

    Where ``fails`` is not empty, one of these failures is expected instead. ``either`` allows
    both: what matters is that nothing else happens.
    """

    name: str
    data: bytes
    shots: tuple[Stretch, ...] | None = None
    sights: tuple[Sight, ...] = ()
    marked: bool = True
    size: tuple[int, int] | None = None
    slack: float = 0.1
    tolerance: int = 40
    gap: float | None = 0.8
    missing: bool | None = False
    fails: frozenset[str] = frozenset()
    either: bool = False


def shots(*bounds: float) -> tuple[Stretch, ...]:
    """Shots one after the other, by the times at which they begin, and when the last one ends."""
    return tuple(pairwise(bounds))


def sights(*scenes: Scene, start: float = 0.0) -> tuple[Sight, ...]:
    """What is seen of the scenes, one after the other."""
    since, found = start, []
    for color, seconds in scenes:
        found.append(Sight(since=since, color=COLORS[color]))
        since += seconds
    return tuple(found)


def bounds(*scenes: Scene, start: float = 0.0) -> tuple[float, ...]:
    """When the scenes begin, and when the last one ends."""
    times = [start]
    for _, seconds in scenes:
        times.append(times[-1] + seconds)
    return tuple(times)
