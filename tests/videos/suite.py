"""The suite: every video says what people expect of it."""

from collections.abc import Callable, Iterator
from functools import cache

from tests.videos import clocks, content, hostile, looks, tracks, usual
from tests.videos.case import Case

Maker = Callable[[], Iterator[Case]]

SOUND: tuple[Maker, ...] = (
    usual.codecs,
    usual.misnamed,
    usual.samples,
    usual.greys,
    usual.spaces,
    usual.sizes,
    usual.layouts,
    usual.tones,
    clocks.rates,
    clocks.uneven,
    clocks.screens,
    clocks.late,
    clocks.orders,
    clocks.packed,
    clocks.edits,
    clocks.shifted,
    looks.turned,
    looks.mirrored,
    looks.stretched,
    looks.fields,
    looks.copied,
    content.cuts,
    content.textured,
    content.products,
    content.held,
    content.slow,
    content.flashes,
    content.one_color,
    content.flicker,
    content.few,
    content.long,
    tracks.sounds,
    tracks.sound_alone,
    tracks.two,
    tracks.covers,
    tracks.told,
)
HOSTILE: tuple[Maker, ...] = (
    hostile.cut,
    hostile.half,
    hostile.damaged,
    hostile.damaged_heads,
    hostile.holes,
    hostile.no_videos,
    hostile.heads_only,
    hostile.lies,
    hostile.sizes_that_lie,
    hostile.bombs,
    hostile.steep,
    hostile.behind,
)


@cache
def made(maker: Maker) -> tuple[Case, ...]:
    """The cases of one sort."""
    return tuple(maker())


@cache
def every_case() -> tuple[Case, ...]:
    """At least 900 videos, named differently."""
    return tuple(case for maker in (*SOUND, *HOSTILE) for case in made(maker))
