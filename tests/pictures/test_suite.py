"""Each file of the suite ends as people expect, or as a failure with a reason."""

import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import psutil
import pytest
from PIL import Image

from mmsearch_core.adapters.isolated_decoder import IsolatedDecoder, Opener
from mmsearch_core.adapters.pillow_picture import MODULES, normalise, open_picture
from mmsearch_core.errors import BadRecord, TryLater, UnsupportedMedia
from mmsearch_core.ports.media import Decoder
from mmsearch_core.records.segment import Decoded
from mmsearch_core.settings import Decode
from mmsearch_core.testing.fake_models import FakeDecoder
from tests.line import picture
from tests.pictures import mischief
from tests.pictures.case import Case
from tests.pictures.suite import every_case, sound_cases

REAL = pytest.mark.integration


def complaint(case: Case, answer: list[Decoded] | BadRecord) -> str:
    """What is not as expected, or nothing."""
    if isinstance(answer, BadRecord):
        kind = type(answer).__name__
        return (
            "" if kind in case.fails and len(str(answer)) > 20 else f"{case.name}: {kind}: {answer}"
        )
    if case.fails and not case.either:
        return f"{case.name}: opened, though {sorted(case.fails)} was expected"
    with Image.open(io.BytesIO(answer[0].jpeg)) as seen:
        seen.load()
        if (seen.format, seen.mode) != ("JPEG", "RGB") or case.size not in (None, seen.size):
            return f"{case.name}: {seen.format} {seen.mode} {seen.size}, expected {case.size}"
        if case.corners is None:
            return ""
        right, low = seen.width - 1, seen.height - 1
        corners: Any = [
            seen.getpixel(place) for place in ((0, 0), (right, 0), (right, low), (0, low))
        ]
    far = max(
        abs(a - b)
        for pair in zip(corners, case.corners, strict=True)
        for a, b in zip(*pair, strict=True)
    )
    return (
        "" if far <= case.tolerance else f"{case.name}: corners {corners}, expected {case.corners}"
    )


def complaints(decoder: Decoder, cases: Sequence[Case]) -> list[str]:
    answers = decoder.decode([("picture", case.data) for case in cases])
    # of each sort
    assert min(Counter(isinstance(answer, BadRecord) for answer in answers).values()) > 50
    return [
        text
        for case, answer in zip(cases, answers, strict=True)
        if (text := complaint(case, answer))
    ]


def test_what_is_safe_to_open_here_ends_as_people_expect() -> None:
    assert complaints(FakeDecoder(), sound_cases()) == []


@REAL
def test_the_suite_is_large_and_its_names_differ() -> None:
    assert len({case.name for case in every_case()}) == len(every_case())
    assert len(every_case()) >= 500


@REAL
def test_every_file_ends_as_people_expect() -> None:
    assert complaints(pictures_opened_by(open_picture, Decode()), every_case()) == []


@pytest.fixture(scope="module")
def decoder() -> IsolatedDecoder:
    return pictures_opened_by(mischief.opener, Decode(seconds=5, memory_mb=512, processes=2))


def pictures_opened_by(opener: Opener, settings: Decode) -> IsolatedDecoder:
    return IsolatedDecoder(settings, {"picture": opener}, modules=MODULES)


def kinds(decoder: Decoder, *files: bytes) -> list[str]:
    answers = decoder.decode([("picture", data) for data in files])
    return [type(answer).__name__ for answer in answers]


@REAL
def test_a_file_that_kills_hangs_or_swells_costs_itself_only(decoder: IsolatedDecoder) -> None:
    """Before and after it, pictures are opened, in order."""
    files = [
        picture("red"),
        *mischief.ENDS,
        picture("blue"),
        mischief.CRASH,
        *[picture("green")] * 20,
    ]
    assert kinds(decoder, *files) == [mischief.ENDS.get(data, "list") for data in files]
    answers = decoder.decode(
        [("picture", picture(color)) for color in ("red", "blue", "green") * 5]
    )
    strongest = []
    for answer in answers:
        assert not isinstance(answer, BadRecord)
        color: Any = Image.open(io.BytesIO(answer[0].jpeg)).getpixel((9, 9))
        strongest.append(max(range(3), key=color.__getitem__))
    assert strongest == [0, 2, 1] * 5


@REAL
def test_what_swells_leaves_the_memory_to_the_next() -> None:
    """In the one process that opened it: 75 MB of pixels, twice, need more than the little that was
    left."""
    large = io.BytesIO()
    Image.new("RGB", (5000, 5000), "red").save(large, "PNG")
    alone = pictures_opened_by(mischief.opener, Decode(memory_mb=512, processes=1))
    assert kinds(alone, *[mischief.SWELL, large.getvalue()] * 2) == ["MediaTooLarge", "list"] * 2


@REAL
def test_what_is_loaded_counts_for_nobody() -> None:
    """PyMuPDF alone is half a gigabyte of address space, whoever loaded it before."""
    modules = (*MODULES, "pymupdf", "pyarrow.parquet")
    little = IsolatedDecoder(
        Decode(memory_mb=256, processes=1), {"picture": open_picture}, modules=modules
    )
    assert kinds(little, picture("red")) == ["list"]


def pool_of(decoder: IsolatedDecoder) -> list[psutil.Process]:
    """The processes that wait for pictures: they are forked from one that is forked from this
    one."""
    workers: Any = decoder._calls._pool._pool._pool_manager.worker_manager.workers
    return list(workers.values())


@REAL
def test_a_process_killed_from_outside_is_replaced_and_nobody_is_blamed(
    decoder: IsolatedDecoder,
) -> None:
    """As a host does that runs out of memory: while the processes wait, and while they work."""
    for killed in (1, 2):
        assert kinds(decoder, picture("red")) == ["list"]
        for process in pool_of(decoder)[:killed]:
            process.kill()
        assert kinds(decoder, *[picture("blue")] * 4) == ["list"] * 4


def no_start(memory: int) -> None:
    raise OSError(memory)


@REAL
def test_processes_that_cannot_start_are_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shard is tried again later; no picture is charged."""
    monkeypatch.setattr("mmsearch_core.confined.confine", no_start)
    with pytest.raises(TryLater, match=r"decode\.processes"):
        pictures_opened_by(open_picture, Decode(processes=1)).decode([("picture", picture("red"))])


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000"),
        (b"\xff\x4f\xff\x51\x00", "a JPEG 2000"),
        (b"\xff\x0a\xfa\x7f", "a JPEG XL"),
        (b"8BPS\x00\x01", "a PSD of Photoshop"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript or Illustrator file"),
        (b"\x00\x00\x01\x00\x01\x00", "an icon"),
        (b"FUJIFILMCCD-RAW 0201", "a raw picture of a camera"),
        (b"\x00\x00\x00\x18ftypcrx \x00", "a raw picture of a camera"),
        (b"<svg width='9'>", "an SVG drawing"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- by hand -->\n<svg>", "an SVG drawing"),
    ],
)
def test_a_format_that_is_not_opened_is_named(head: bytes, what: str) -> None:
    """People have to know what to do with the file."""
    with pytest.raises(UnsupportedMedia, match=f"This is {what}: export it as JPEG, PNG or WebP"):
        normalise(head + bytes(100), Decode())


def test_a_pdf_under_another_name_is_told_which_it_needs() -> None:
    with pytest.raises(UnsupportedMedia, match=r"let its key end in \.pdf"):
        normalise(b"%PDF-1.7\n" + bytes(100), Decode())
