"""Each video of the suite is seen as people expect, or ends as a failure with a reason."""

import io
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmsearch_core.adapters.isolated_decoder import IsolatedDecoder
from mmsearch_core.adapters.video import MODULES, open_video
from mmsearch_core.errors import BadRecord
from mmsearch_core.records.segment import Decoded, Span
from mmsearch_core.settings import Decode
from tests.videos.case import ANY, Case, Color
from tests.videos.suite import HOSTILE, SOUND, Maker, every_case, made

pytestmark = pytest.mark.integration
SETTINGS = Decode(processes=1, video_seconds=20)
ROUNDED = 0.002  # seconds that times are off by, since they are kept in milliseconds
EVEN = 2  # pixels that sides are off by, since they are made even
MANY = 40  # complaints are enough
INSET = 10  # a corner is looked at a tenth of a side from the edges


@pytest.fixture(scope="module")
def decoder() -> IsolatedDecoder:
    return IsolatedDecoder(SETTINGS, {"video": open_video}, modules=MODULES)


def test_the_suite_is_large_and_its_names_differ() -> None:
    names = {case.name for case in every_case()}
    assert len(names) == len(every_case())
    assert len(names) >= 900


@pytest.mark.parametrize("maker", [*SOUND, *HOSTILE], ids=lambda maker: maker.__name__)
def test_every_video_ends_as_people_expect(
    maker: Maker, decoder: IsolatedDecoder, tmp_path: Path
) -> None:
    cases = made(maker)
    answers = decoder.decode([("video", written(case, tmp_path)) for case in cases])
    found = []
    for case, answer in zip(cases, answers, strict=True):
        found += [f"{case.name}: {text}" for text in complaints(case, answer)]
    assert not found, "\n".join(found[:MANY])


def written(case: Case, folder: Path) -> Path:
    path = folder / case.name.replace("/", "-")
    path.write_bytes(case.data)
    return path


def complaints(case: Case, answer: list[Decoded] | BadRecord) -> Iterator[str]:
    """What is not as expected."""
    if isinstance(answer, BadRecord):
        yield from of_a_failure(case, answer)
        return
    if case.fails and not case.either:
        yield f"opened, though {sorted(case.fails)} was expected"
        return
    yield from of_any(answer)
    if case.shots is not None:
        yield from of_shots(case, [stretch(shot) for shot in answer])
    if case.gap is not None:
        yield from of_gaps(case.gap, answer)
    if case.missing is not None and (answer[-1].missing > 0) != case.missing:
        yield f"{answer[-1].missing} s are missing"
    for shot in answer:
        yield from of_pictures(case, shot)


def of_a_failure(case: Case, answer: BadRecord) -> Iterator[str]:
    kind = type(answer).__name__
    if kind not in case.fails & ANY or len(str(answer)) <= 20 or "took longer" in str(answer):
        yield f"{kind}: {answer}"


def of_any(answer: Sequence[Decoded]) -> Iterator[str]:
    """What holds of every video."""
    spans = [stretch(shot) for shot in answer]
    if any(later[0] <= former[0] or later[1] <= former[1] for former, later in pairwise(spans)):
        yield f"not one after the other: {spans}"
    for shot, (start, end) in zip(answer, spans, strict=True):
        times = seconds_of(shot)
        if not times or any(later <= former for former, later in pairwise(times)):
            yield f"the frames of {shot.where} are at {times}"
        elif times[0] < start - ROUNDED or times[-1] > end + ROUNDED:
            yield f"the frames of {shot.where} are from {times[0]} to {times[-1]}"
        if not 0 <= shot.missing < float("inf"):
            yield f"{shot.missing} s are missing"


def of_shots(case: Case, spans: Sequence[tuple[float, float]]) -> Iterator[str]:
    expected = case.shots or ()
    far = case.slack + ROUNDED
    if len(spans) != len(expected) or any(
        abs(span[side] - other[side]) > far
        for span, other in zip(spans, expected, strict=True)
        for side in (0, 1)
    ):
        yield f"the shots are {spans}, expected {list(expected)}"


def of_gaps(gap: float, answer: Sequence[Decoded]) -> Iterator[str]:
    for shot in answer:
        start, end = stretch(shot)
        longest = max(later - former for former, later in pairwise((start, *seconds_of(shot), end)))
        if longest > gap:
            yield f"{longest:.3f} s of {shot.where} have no frame: {seconds_of(shot)}"


def of_pictures(case: Case, shot: Decoded) -> Iterator[str]:
    """Whether the key frame and the frames show what they should."""
    start, end = stretch(shot)
    with Image.open(io.BytesIO(shot.jpeg)) as picture:
        picture.load()
        if (picture.format, picture.mode) != ("JPEG", "RGB"):
            yield f"the key frame is {picture.format} {picture.mode}"
        if case.size and max(map(abs, np.subtract(case.size, picture.size))) > EVEN:
            yield f"the key frame is of {picture.size}, expected {case.size}"
        yield from of_colors(case, picture, f"key frame of {shot.where}", start, end)
    for frame in shot.frames:
        seconds = frame.seconds or 0.0
        with Image.open(io.BytesIO(frame.jpeg)) as picture:
            picture.load()
            yield from of_colors(case, picture, f"frame at {seconds} s", seconds, seconds)


def of_colors(
    case: Case, picture: Image.Image, which: str, start: float, end: float
) -> Iterator[str]:
    """Whether one of the colors is seen that the video has from ``start`` to ``end``."""
    if not case.sights:
        return
    allowed = colors_of(case, start - case.slack, end + case.slack)
    if not allowed:
        yield f"there is a {which}, where the video shows nothing"
        return
    mark, *others = (pixel(picture, *place) for place in ((0, 0), (1, 0), (1, 1), (0, 1)))
    away = min(max(distance(other, color) for other in others) for color in allowed)
    if away > case.tolerance:
        yield f"the {which} has the corners {[mark, *others]}, expected one of {allowed}"
    elif case.marked and distance(mark, (255, 255, 255)) > case.tolerance:
        yield f"the {which} has no mark: {mark}, elsewhere {others}"


def colors_of(case: Case, start: float, end: float) -> list[Color]:
    """The colors that the video has from ``start`` to ``end``."""
    until = [sight.since for sight in case.sights[1:]] + [float("inf")]
    return [
        sight.color
        for sight, stop in zip(case.sights, until, strict=True)
        if sight.since <= end and stop >= start
    ]


def pixel(picture: Image.Image, right: int, low: int) -> Color:
    """The color of a corner, a little from the edges."""
    width, height = picture.size
    x, y = width // INSET, height // INSET
    found: Any = picture.getpixel((width - 1 - x if right else x, height - 1 - y if low else y))
    return found[0], found[1], found[2]


def distance(one: Color, other: Color) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def stretch(shot: Decoded) -> tuple[float, float]:
    assert isinstance(shot.where, Span)
    return shot.where.start, shot.where.end


def seconds_of(shot: Decoded) -> list[float]:
    return [frame.seconds or 0.0 for frame in shot.frames]
