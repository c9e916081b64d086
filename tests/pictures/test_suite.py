"""Each file of the suite ends as people expect, or as a failure with a reason."""

import io
import os
import resource
import time
from collections import Counter

import pytest
from PIL import Image

from mmsearch_core.adapters.pillow_decoder import PillowDecoder, normalise
from mmsearch_core.errors import BadRecord
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.segment import Decoded
from mmsearch_core.settings import Decode
from tests.line import picture
from tests.pictures.suite import Case, every_case

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return every_case()


def complaint(case: Case, answer: list[Decoded] | BadRecord) -> str:
    """What is not as expected, or nothing."""
    if isinstance(answer, BadRecord):
        kind = type(answer).__name__
        return "" if kind in case.fails and len(str(answer)) > 20 else f"{case.name}: {kind}: {answer}"
    if case.fails and not case.either:
        return f"{case.name}: opened, though {sorted(case.fails)} was expected"
    with Image.open(io.BytesIO(answer[0].jpeg)) as seen:
        seen.load()
        if (seen.format, seen.mode) != ("JPEG", "RGB") or case.size not in (None, seen.size):
            return f"{case.name}: {seen.format} {seen.mode} {seen.size}, expected {case.size}"
        if case.corners is None:
            return ""
        right, low = seen.width - 1, seen.height - 1
        corners = [seen.getpixel(place) for place in ((0, 0), (right, 0), (right, low), (0, low))]
    far = max(abs(a - b) for pair in zip(corners, case.corners, strict=True) for a, b in zip(*pair, strict=True))
    return "" if far <= case.tolerance else f"{case.name}: corners {corners}, expected {case.corners}"


def test_the_suite_is_large_and_its_names_differ(cases: list[Case]) -> None:
    assert len({case.name for case in cases}) == len(cases)
    assert len(cases) >= 500


def test_every_file_ends_as_people_expect(cases: list[Case]) -> None:
    answers = PillowDecoder(Decode()).decode([("picture", case.data) for case in cases])
    assert [text for case, answer in zip(cases, answers, strict=True) if (text := complaint(case, answer))] == []
    opened = Counter(isinstance(answer, BadRecord) for answer in answers)
    assert min(opened.values()) > 100


def hostile(kind: Kind, data: bytes, settings: Decode) -> bytes:
    """Opens pictures, but for three that do to their process what a hole in a codec may do."""
    if data == b"die":
        os.abort()
    if data == b"hang":
        time.sleep(3600)
    if data == b"grow":
        return bytes(resource.getrlimit(resource.RLIMIT_AS)[0])
    return normalise(kind, data, settings)


@pytest.fixture
def decoder() -> PillowDecoder:
    return PillowDecoder(Decode(seconds=2, memory_mb=512, processes=2), opener=hostile)


def test_a_file_that_kills_hangs_or_swells_costs_itself_only(decoder: PillowDecoder) -> None:
    """Before and after it, pictures are opened, in order."""
    files = [picture("red"), b"die", picture("blue"), b"hang", picture("green"), b"grow", *[picture("red")] * 20]
    answers = decoder.decode([("picture", data) for data in files])
    failed = {
        files[place]: type(answer).__name__ for place, answer in enumerate(answers) if isinstance(answer, BadRecord)
    }
    assert failed == {b"die": "KilledTheWorker", b"hang": "MediaTooLarge", b"grow": "MediaTooLarge"}
    assert not isinstance(decoder.decode([("picture", picture("red"))])[0], BadRecord)
