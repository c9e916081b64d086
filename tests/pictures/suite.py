"""The suite: every file says what people expect of it."""

from functools import cache

from tests.pictures.case import Case
from tests.pictures.hostile import bombs, cut, damaged, no_pictures, shapes
from tests.pictures.rare import burdened, late, printers, profiles, samples
from tests.pictures.sound import (
    clear,
    deep,
    formats,
    half_moving,
    large,
    misnamed,
    moving,
    telephones,
    turned,
)

SOUND = (
    formats,
    turned,
    misnamed,
    moving,
    half_moving,
    telephones,
    clear,
    deep,
    large,
    profiles,
    printers,
    samples,
    late,
    burdened,
)
HOSTILE = (cut, damaged, no_pictures, bombs, shapes)


@cache
def sound_cases() -> tuple[Case, ...]:
    """What is safe to open in the process of the tests."""
    return tuple(case for maker in (*SOUND, cut, no_pictures, shapes) for case in maker())


@cache
def every_case() -> tuple[Case, ...]:
    """At least 500 files, named differently."""
    return tuple(case for maker in (*SOUND, *HOSTILE) for case in maker())
