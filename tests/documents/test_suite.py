"""Each document of the suite is seen and read as people expect, or ends as a failure with a reason
that says what to do."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsearch_core.adapters.isolated_decoder import IsolatedDecoder
from mmsearch_core.adapters.pymupdf_document import MODULES, open_document
from mmsearch_core.errors import BadRecord
from mmsearch_core.records.segment import Decoded, Page
from mmsearch_core.settings import Decode
from tests.documents.case import Case, Color, Sheet
from tests.documents.cases import broken, structures
from tests.documents.suite import BOMBS, HOSTILE, SOUND, Maker, every_case, made

pytestmark = pytest.mark.integration
PATIENT = Decode(processes=1, document_seconds=60, memory_mb=768, page_side=768)
HASTY = Decode(processes=1, document_seconds=3, memory_mb=768, page_side=768)
NAMES = ("尺码表.pdf", "a b%20#?&.PDF", "-rf.pdf", "x" * 200 + ".pdf", "without-an-ending")
ROUNDED = 1  # pixel that a side is off by
MANY = 40  # complaints are enough
NEAR = 3  # pixels around a spot whose mean is its color
PAPER = 250  # of 255: what is darker is ink
# what a sentence tells people to do, or the setting that it names
ADVICE = re.compile(r"\b(export|upload|look at)\b|\bdecode\.[a-z_]+")


def name_of(maker: Maker) -> str:
    """The file of the cases, and what they are."""
    family = maker.__module__.rpartition(".")[2]
    return f"{family}-{maker.__name__}"


def decoder_of(settings: Decode) -> IsolatedDecoder:
    return IsolatedDecoder(settings, {"document": open_document}, modules=MODULES)


@pytest.fixture(scope="module")
def decoder() -> IsolatedDecoder:
    return decoder_of(PATIENT)


def test_the_suite_is_large_and_its_names_differ() -> None:
    names = {case.name for case in every_case()}
    assert len(names) == len(every_case())
    assert len(names) >= 700


@pytest.mark.parametrize("maker", [*SOUND, *HOSTILE], ids=name_of)
def test_every_document_ends_as_people_expect(maker: Maker, decoder: IsolatedDecoder) -> None:
    """And what is known to end otherwise, and why, still does."""
    found = complaints_of(maker, decoder)
    assert not found, "\n".join(found[:MANY])


def test_every_bomb_ends_within_the_limits() -> None:
    """And what comes after it is opened."""
    hasty = decoder_of(HASTY)
    found = []
    for maker in (*BOMBS, structures.tables):
        found += complaints_of(maker, hasty)
    assert not found, "\n".join(found[:MANY])


def test_most_documents_with_a_few_wrong_bytes_are_opened(decoder: IsolatedDecoder) -> None:
    answers = decoder.decode([("document", case.data) for case in made(broken.noises)])
    opened = [answer for answer in answers if isinstance(answer, list)]
    assert len(opened) > len(answers) / 2


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_opened_whatever_it_is_called(
    name: str, decoder: IsolatedDecoder, tmp_path: Path
) -> None:
    case = made(structures.versions)[0]
    path = tmp_path / name
    path.write_bytes(case.data)
    (answer,) = decoder.decode([("document", path)])
    assert list(complaints(case, answer)) == []


def complaints_of(maker: Maker, decoder: IsolatedDecoder) -> list[str]:
    """What is not as expected of the cases of one sort, opened together."""
    cases = made(maker)
    answers = decoder.decode([("document", case.data) for case in cases])
    found = []
    for case, answer in zip(cases, answers, strict=True):
        problems = of_a_difference if case.differs else complaints
        found += [f"{case.name}: {problem}" for problem in problems(case, answer)]
    return found


def of_a_difference(case: Case, answer: list[Decoded] | BadRecord) -> Iterator[str]:
    """What is not as expected of a document that is known to end otherwise."""
    if not any(complaints(case, answer)):
        yield "as people expect now, so it differs no more"
    elif isinstance(answer, BadRecord) and not advises(answer):
        yield f"no advice: {answer}"


def complaints(case: Case, answer: list[Decoded] | BadRecord) -> Iterator[str]:
    """What is not as expected."""
    if isinstance(answer, BadRecord):
        yield from of_a_failure(case, answer)
        return
    if case.fails and not case.either:
        yield f"opened, though {sorted(case.fails)} was expected"
        return
    yield from of_numbers(case, answer)
    expected = {sheet.number: sheet for sheet in case.sheets}
    for page in answer:
        sheet = expected.get(number_of(page))
        if sheet:
            for problem in of_a_page(sheet, page):
                yield f"page {sheet.number}: {problem}"


def of_a_failure(case: Case, answer: BadRecord) -> Iterator[str]:
    kind = type(answer).__name__
    if case.surely or kind not in case.fails or not re.search(case.says, str(answer)):
        yield f"{kind}: {answer}"
    elif not advises(answer):
        yield f"no advice: {answer}"


def advises(answer: BadRecord) -> bool:
    """Whether it is a sentence that says what to do, or which setting it is about."""
    return str(answer).endswith(".") and ADVICE.search(str(answer)) is not None


def of_numbers(case: Case, answer: Sequence[Decoded]) -> Iterator[str]:
    numbers = [number_of(page) for page in answer]
    expected = [sheet.number for sheet in case.sheets]
    if case.either:
        if numbers != sorted(set(numbers) & set(expected)):
            yield f"there are the pages {numbers}, expected some of {expected}"
        if case.surely - set(numbers):
            yield f"there are the pages {numbers}, expected at least {sorted(case.surely)}"
    elif numbers != expected:
        yield f"there are the pages {numbers}, expected {expected}"


def of_a_page(sheet: Sheet, page: Decoded) -> Iterator[str]:
    """What of a page's text and picture is not as expected."""
    if sheet.text is not None and page.text != sheet.text:
        yield f"says {page.text[:200]!r}, expected {sheet.text[:200]!r}"
    with Image.open(io.BytesIO(page.jpeg)) as picture:
        picture.load()
        if (picture.format, picture.mode) != ("JPEG", "RGB"):
            yield f"is {picture.format} {picture.mode}"
        yield from of_a_picture(sheet, picture)


def of_a_picture(sheet: Sheet, picture: Image.Image) -> Iterator[str]:
    if sheet.size and max(map(abs, np.subtract(sheet.size, picture.size))) > ROUNDED:
        yield f"is of {picture.size}, expected {sheet.size}"
    for x, y, color in sheet.spots:
        found = color_at(picture, x, y)
        if max(abs(a - b) for a, b in zip(found, color, strict=True)) > sheet.tolerance:
            yield f"is {found} at {x:g}, {y:g}, expected {color}"
    darkest = int(np.asarray(picture.convert("L")).min())
    if sheet.inked is not None and (darkest < PAPER) != sheet.inked:
        yield f"its darkest pixel is {darkest}"


def color_at(picture: Image.Image, x: float, y: float) -> Color:
    """The mean color around a place, in parts of the picture."""
    across, down = int(picture.width * x), int(picture.height * y)
    near = (max(across - NEAR, 0), max(down - NEAR, 0), across + NEAR + 1, down + NEAR + 1)
    inside = (*near[:2], min(near[2], picture.width), min(near[3], picture.height))
    red, green, blue = np.asarray(picture.crop(inside)).reshape(-1, 3).mean(axis=0).astype(int)
    return int(red), int(green), int(blue)


def number_of(page: Decoded) -> int:
    assert isinstance(page.where, Page)
    return page.where.number
