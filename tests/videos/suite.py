"""The suite: every video says what people expect of it."""

from collections.abc import Callable, Iterator
from functools import cache

from tests.videos.case import Case
from tests.videos.clocks import edits, late, orders, packed, rates, screens, shifted, uneven
from tests.videos.usual import codecs, greys, layouts, misnamed, samples, sizes, spaces, tones

Maker = Callable[[], Iterator[Case]]

SOUND: tuple[Maker, ...] = (
    codecs,
    misnamed,
    samples,
    greys,
    spaces,
    sizes,
    layouts,
    tones,
    rates,
    uneven,
    screens,
    late,
    orders,
    packed,
    edits,
    shifted,
)
HOSTILE: tuple[Maker, ...] = ()


@cache
def made(maker: Maker) -> tuple[Case, ...]:
    """The cases of one sort."""
    return tuple(maker())


@cache
def every_case() -> tuple[Case, ...]:
    """At least 200 videos, named differently."""
    return tuple(case for maker in (*SOUND, *HOSTILE) for case in made(maker))
