"""The text of a page is written as people search for it."""

from collections.abc import Iterator

import pytest

from mmsearch_core.adapters.page_text import LONGEST_TEXT, as_typed, page_text
from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.settings import Decode
from tests.documents.made import Draw, pdf


def written(html: str) -> Draw:
    """A page that says this in whichever fonts have the letters."""

    def draw(page: object) -> None:
        page.insert_htmlbox((50, 50, 500, 400), html)  # type: ignore[attr-defined]

    return draw


def text_of(html: str) -> str:
    (page,) = open_document(pdf(written(html)), Decode())
    return page.text


@pytest.mark.parametrize(
    ("paragraph", "typed"),
    [
        ("Wash cold\nand dry flat\n", "Wash cold and dry flat"),
        ("连衣裙尺码表腰\n围七十\n", "连衣裙尺码表腰围七十"),
        ("尺码 \nSize chart\n腰围", "尺码 Size chart 腰围"),
        ("한국어 \n옷", "한국어 옷"),
        ("The \ufb01rst \ufb02oor, e\ufb03cient", "The first floor, efficient"),
        ("\ufee3\ufeae\ufea3\ufe92\ufe8e", "مرحبا"),
        ("12 m\u00b2, \u00bd, 30 \u2103", "12 m\u00b2, \u00bd, 30 \u2103"),
        ("wash\u00ad\ning ma\u00adchine", "washing machine"),
        ("ready-\nmade, 30-\n40 g - \nand", "ready-made, 30-40 g - and"),
        ("a\tb\x00c\ud800d\u200be\u202ef\ufffdg\r\nh", "a bcdefg h"),
        ("Pure\u0301e, a\u030angstro\u0308m", "Pur\u00e9e, \u00e5ngstr\u00f6m"),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8", "\ud55c\uad6d"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        (" \n\t", ""),
    ],
)
def test_a_paragraph_is_written_as_people_type_it(paragraph: str, typed: str) -> None:
    assert as_typed(paragraph) == typed


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<p dir="rtl">שלום עולם</p>', "שלום עולם"),
        ('<p dir="rtl">قميص أزرق</p>', "قميص أزرق"),
        ("<p>The first floor</p>", "The first floor"),
        ("<p>连衣裙 腰围</p>", "连衣裙 腰围"),
    ],
)
def test_a_page_in_any_script_says_what_was_written(html: str, text: str) -> None:
    """From right to left, too: letters are in the order in which they are read."""
    assert text_of(html) == text


def test_a_chinese_word_across_two_lines_is_one_word() -> None:
    words = "连衣裙尺码表腰围" * 20
    assert text_of(f"<p>{words}</p>") == words


def test_no_more_of_a_page_is_read_than_is_kept() -> None:
    read = 0

    def paragraphs() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "word " * 1_000

    assert len(page_text(paragraphs())) == LONGEST_TEXT
    assert read < 20
