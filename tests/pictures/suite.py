"""The suite: every file says what people expect of it."""

from tests.pictures.case import Case
from tests.pictures.hostile import bombs, cut, damaged, no_pictures, shapes
from tests.pictures.sound import clear, deep, formats, large, misnamed, moving, turned


def every_case() -> list[Case]:
    """At least 500 files, named differently."""
    makers = (formats, turned, cut, damaged, no_pictures, misnamed, bombs, shapes, moving, clear, deep, large)
    return [case for maker in makers for case in maker()]
