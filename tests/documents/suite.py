"""The suite: every document says what people expect of it."""

from collections.abc import Callable, Iterator
from functools import cache

from tests.documents.case import Case
from tests.documents.cases import fonts, sizes, structures, words

Maker = Callable[[], Iterator[Case]]

SOUND: tuple[Maker, ...] = (
    sizes.papers,
    sizes.units,
    sizes.media,
    sizes.crops,
    sizes.thin,
    sizes.mixed,
    sizes.turned,
    structures.versions,
    structures.tables,
    structures.updates,
    structures.trees,
    structures.contents,
    structures.generations,
    structures.producers,
    fonts.base,
    fonts.encodings,
    fonts.asian,
    fonts.embedded,
    fonts.drawn_letters,
    fonts.missing,
    words.columns,
    words.lines,
    words.hyphens,
    words.letters,
    words.from_right_to_left,
    words.html,
    words.unseen,
)
HOSTILE: tuple[Maker, ...] = ()


@cache
def made(maker: Maker) -> tuple[Case, ...]:
    """The cases of one sort."""
    return tuple(maker())


@cache
def every_case() -> tuple[Case, ...]:
    """At least 250 documents, named differently."""
    return tuple(case for maker in (*SOUND, *HOSTILE) for case in made(maker))
