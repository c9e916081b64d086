"""The suite: every document says what people expect of it."""

from collections.abc import Callable, Iterator
from functools import cache

from tests.documents.case import Case
from tests.documents.cases import (
    bombs,
    broken,
    fonts,
    locked,
    looks,
    parts,
    sizes,
    structures,
    words,
)

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
    parts.notes,
    parts.forms,
    parts.layers,
    parts.behind_scans,
    parts.spoken,
    parts.actions,
    parts.attachments,
    parts.outlines,
    looks.colors,
    looks.patterns,
    looks.clear,
    looks.raw,
    looks.packings,
    looks.photographs,
    looks.faxes,
    looks.inline,
    locked.owners,
    locked.users,
    locked.strange,
)
HOSTILE: tuple[Maker, ...] = (
    broken.cut,
    broken.ends,
    broken.tables,
    broken.objects,
    broken.heads,
    broken.others,
    broken.trees,
    broken.contents,
    broken.blanks,
    broken.noises,
)
BOMBS: tuple[Maker, ...] = (
    bombs.pages,
    bombs.unpacking,
    bombs.drawing,
    bombs.saying,
    bombs.building,
)


@cache
def made(maker: Maker) -> tuple[Case, ...]:
    """The cases of one sort."""
    return tuple(maker())


@cache
def every_case() -> tuple[Case, ...]:
    """At least 700 documents, named differently."""
    return tuple(case for maker in (*SOUND, *HOSTILE, *BOMBS) for case in made(maker))
