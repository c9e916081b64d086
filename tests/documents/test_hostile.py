"""PDFs that lie, swell or never end: each is opened or refused with a reason, and harms nobody."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmsearch_core.adapters import pillow_picture, pymupdf_document
from mmsearch_core.adapters.isolated_decoder import IsolatedDecoder
from mmsearch_core.adapters.page_text import LONGEST_TEXT
from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.errors import MediaTooLarge, UnreadableMedia
from mmsearch_core.records.segment import Page
from mmsearch_core.settings import Decode
from tests.documents.hostile import (
    SQUARE,
    document,
    drawing_itself,
    nested,
    one_long_word,
    page,
    picture,
    stream,
    tree,
)
from tests.documents.made import pdf, text
from tests.line import picture as small_picture

COUNT_THREADS = """
from mmsearch_core.adapters.isolated_decoder import IsolatedDecoder
from mmsearch_core.settings import Decode
from tests.documents.hostile import SQUARE, page, threads
from tests.documents.test_hostile import MODULES

decoder = IsolatedDecoder(Decode(processes=1), {"document": threads}, modules=MODULES)
((answer,),) = decoder.decode([("document", page(SQUARE))])
print(answer.text)
"""
MODULES = (*pillow_picture.MODULES, *pymupdf_document.MODULES)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tree(b"2 0 R", 10), "damaged"),
        (tree(b"", 0), "no page"),
        (document([b"<</Type/Catalog/Pages 2 0 R/X %b>>" % (b"[" * 500_000)]), "no page"),
        (drawing_itself(), "blank"),
        (page(stream(b"/Filter/FlateDecode", b"not packed")), "blank"),
        (page(b"<</F(/etc/hostname)/Length 0>>stream\n\nendstream"), "blank"),
        (page(stream(b"", b"[" * 2_000_000)), "damaged"),
        (page(stream(b"", b"q " * 2_000_000)), "damaged"),
    ],
    ids=[
        "pages-of-themselves",
        "no-page",
        "half-a-million-brackets",
        "a-form-that-draws-itself",
        "content-that-cannot-be-unpacked",
        "content-in-another-file",
        "two-million-brackets-on-a-page",
        "two-million-states",
    ],
)
def test_what_makes_no_sense_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(UnreadableMedia, match=says):
        open_document(data, Decode())


@pytest.mark.parametrize("count", [2_000_000_000, -1])
def test_a_document_that_miscounts_its_pages_has_those_that_are_there(count: int) -> None:
    """MuPDF believes the count; PDFium looks."""
    (opened,) = open_document(tree(b"3 0 R", count), Decode())
    assert opened.where == Page(number=1)


@pytest.mark.parametrize("box", [b"0 0 1e38 1e38", b"595 842 0 0", b"0 0 0 0", b"/a /b"])
def test_a_page_of_an_impossible_size_is_drawn_at_a_possible_one(box: bytes) -> None:
    (opened,) = open_document(page(SQUARE, box=box), Decode())
    assert len(opened.jpeg) < 100_000


def test_a_page_of_a_million_characters_is_bounded() -> None:
    lines = [b"BT /F 1 Tf 0 %d Td (%b) Tj ET" % (8 * row, b"word " * 2_000) for row in range(100)]
    font = b"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
    (opened,) = open_document(page(stream(b"", b"\n".join(lines)), font), Decode())
    assert len(opened.text) == LONGEST_TEXT


def test_nothing_is_written_and_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever MuPDF thinks of a broken document goes nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    open_document(pdf(*[text(f"Page {number}") for number in range(9)])[:-400], Decode())
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.integration  # starts processes
def test_a_process_that_opens_documents_has_one_thread() -> None:
    """Although the server that it is forked from has those that PyMuPDF starts when imported. In a
    process of its own, since that server has the modules of whoever came first."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT_THREADS], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


@pytest.mark.integration  # starts processes
@pytest.mark.parametrize(
    ("made", "seconds", "says"),
    [
        (lambda: nested(11, 10), 8, r"decode\.document_seconds"),
        (lambda: one_long_word(600), 120, r"decode\.memory_mb"),
    ],
    ids=["ten-billion-squares", "a-word-of-600-MB"],
)
def test_what_swells_is_too_large(made: Callable[[], bytes], seconds: float, says: str) -> None:
    """And whatever is opened beside it is opened."""
    settings = Decode(processes=2, memory_mb=600, document_seconds=seconds)
    openers = {"document": open_document, "picture": pillow_picture.open_picture}
    decoder = IsolatedDecoder(settings, openers, modules=MODULES)
    beside = [("document", pdf(text("Page"))), ("picture", small_picture("red"))]
    bomb, *others = decoder.decode([("document", made()), *beside])  # type: ignore[list-item]
    assert isinstance(bomb, MediaTooLarge)
    assert re.search(says, str(bomb))
    assert [isinstance(answer, list) for answer in others] == [True, True]


@pytest.mark.integration  # starts processes
def test_a_picture_larger_than_memory_is_drawn_on_its_page() -> None:
    """Of 1.45 GB, in a process that may have 1.28 GB."""
    settings = Decode(processes=1, memory_mb=1280, document_seconds=60)
    decoder = IsolatedDecoder(settings, {"document": open_document}, modules=MODULES)
    (answer,) = decoder.decode([("document", picture(22_000))])
    assert isinstance(answer, list)
    assert [each.where for each in answer] == [Page(number=1)]
