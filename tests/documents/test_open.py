"""What becomes of a PDF when it is opened."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

from mmsearch_core.adapters import pymupdf_document
from mmsearch_core.adapters.isolated_decoder import IsolatedDecoder
from mmsearch_core.adapters.page_text import LONGEST_TEXT
from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.errors import BadRecord, MediaTooLarge, UnreadableMedia, UnsupportedMedia
from mmsearch_core.records.segment import Decoded, Page
from mmsearch_core.settings import Decode
from tests.documents.made import blank, colored, pdf, text, with_xref
from tests.line import picture

SETTINGS = Decode()


def seen(decoded: Decoded) -> Image.Image:
    return Image.open(io.BytesIO(decoded.jpeg))


def mean(picture: Image.Image) -> list[float]:
    return ImageStat.Stat(picture.convert("RGB")).mean


def test_every_page_is_a_segment_with_its_text() -> None:
    first, second = open_document(pdf(text("Size chart"), text("Wash at 30 °C")), SETTINGS)
    assert (first.where, first.text) == (Page(number=1), "Size chart")
    assert (second.where, second.text) == (Page(number=2), "Wash at 30 °C")
    assert max(seen(first).size) == SETTINGS.page_side
    assert seen(first).format == "JPEG"


def test_a_file_and_its_bytes_are_opened_alike(tmp_path: Path) -> None:
    data = pdf(text("Size chart"))
    path = tmp_path / "without-an-ending"
    path.write_bytes(data)
    assert open_document(path, SETTINGS) == open_document(data, SETTINGS)


def test_blank_pages_are_left_out_and_the_others_keep_their_numbers() -> None:
    pages = open_document(pdf(blank, text("Care"), blank), SETTINGS)
    assert [page.where for page in pages] == [Page(number=2)]


def test_columns_are_read_one_after_the_other() -> None:
    def columns(page: Any) -> None:
        page.insert_textbox((40, 40, 280, 400), "Left one.\nLeft two.")
        page.insert_textbox((320, 40, 560, 400), "Right one.\nRight two.")

    (page,) = open_document(pdf(columns), SETTINGS)
    assert page.text == "Left one. Left two.\nRight one. Right two."


def test_a_page_that_was_turned_comes_upright() -> None:
    def turned(page: Any) -> None:
        page.draw_rect((0, 0, 595, 421), color=(1, 0, 0), fill=(1, 0, 0))  # red above
        page.set_rotation(90)

    (page,) = open_document(pdf(turned), SETTINGS)
    picture = seen(page)
    assert picture.width > picture.height
    # what was above is on the right now
    assert picture.getpixel((picture.width - 20, 20))[1] < 40  # type: ignore[index]
    assert picture.getpixel((20, 20))[1] > 200  # type: ignore[index]


@pytest.mark.parametrize(("mode", "tolerance"), [("RGB", 12), ("L", 12), ("CMYK", 60)])
def test_a_scanned_page_has_a_picture_and_no_text(mode: str, tolerance: int) -> None:
    """Of four inks, what they give together on paper."""
    (page,) = open_document(pdf(colored((40, 40, 40), mode)), SETTINGS)
    assert page.text == ""
    assert max(abs(value - 40) for value in mean(seen(page))) < tolerance


def test_what_is_transparent_lies_on_white() -> None:
    def half(page: Any) -> None:
        page.draw_rect((0, 0, 595, 842), fill=(0, 0, 0), fill_opacity=0.0)
        page.insert_text((72, 72), "On white")

    (page,) = open_document(pdf(half), SETTINGS)
    assert min(mean(seen(page))) > 240


def test_a_giant_page_is_drawn_no_larger_than_others_and_a_stamp_not_blown_up() -> None:
    (giant,) = open_document(pdf(text("Poster", y=7000), size=(14_400, 14_400)), SETTINGS)
    assert max(seen(giant).size) == SETTINGS.page_side
    (stamp,) = open_document(pdf(text("x", x=2, y=10), size=(20, 20)), SETTINGS)
    assert max(seen(stamp).size) == 80


def test_a_page_thinner_than_any_model_looks_at_is_left_out() -> None:
    with pytest.raises(UnreadableMedia, match="blank"):
        open_document(pdf(text("x", x=2, y=2), size=(10_000, 10)), SETTINGS)


def test_form_fields_are_seen_as_they_are_filled_in() -> None:
    import pymupdf

    def form(page: Any) -> None:
        widget = pymupdf.Widget()
        widget.field_type = pymupdf.PDF_WIDGET_TYPE_TEXT
        widget.field_name, widget.field_value = "waist", "84 cm"
        widget.rect = pymupdf.Rect(72, 72, 300, 100)
        widget.fill_color = (1, 0, 0)
        page.add_widget(widget)

    (page,) = open_document(pdf(form), SETTINGS)
    red, green, _ = mean(seen(page))
    assert red - green > 2


def test_scripts_and_attachments_are_neither_run_nor_opened() -> None:
    def add(document: Any) -> None:
        document.embfile_add("evil.exe", b"MZ")
        action = document.get_new_xref()
        document.update_object(action, "<< /S /JavaScript /JS (app.alert\\(1\\)) >>")
        document.xref_set_key(document.pdf_catalog(), "OpenAction", f"{action} 0 R")

    plain = pdf(text("Manual"))
    assert [page.text for page in open_document(with_xref(plain, add), SETTINGS)] == ["Manual"]


def test_text_is_bounded_and_holds_nothing_that_cannot_be_read() -> None:
    def long(page: Any) -> None:
        for number in range(80):
            page.insert_text((0, 10 + 10 * number), "word " * 200, fontsize=1)

    (page,) = open_document(pdf(long), SETTINGS)
    assert len(page.text) == LONGEST_TEXT
    (odd,) = open_document(pdf(text("a\tb\u200bc")), SETTINGS)
    assert "\t" not in odd.text
    odd.text.encode()


def test_a_document_with_an_owners_password_only_is_opened() -> None:
    import pymupdf

    locked = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "owner_pw": "o"}
    (page,) = open_document(pdf(text("Manual"), **locked), SETTINGS)
    assert page.text == "Manual"


def encrypted() -> bytes:
    import pymupdf

    return pdf(text("x"), encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="o", user_pw="u")


@pytest.mark.parametrize(
    ("made", "error", "says"),
    [
        (encrypted, UnsupportedMedia, "needs a password: upload it without one"),
        (lambda: b"", UnsupportedMedia, "This is no PDF"),
        (lambda: picture("red"), UnsupportedMedia, "This is no PDF"),
        (lambda: b"no document at all" * 100, UnsupportedMedia, "This is no PDF"),
        (lambda: b"%PDF-1.7\n" + bytes(1000), UnreadableMedia, "export it again"),
        (lambda: pdf(text("x"))[:200], UnreadableMedia, "export it again"),
        (lambda: pdf(blank, blank), UnreadableMedia, "All pages of the document are blank"),
        (lambda: pdf(*[blank] * 501), MediaTooLarge, r"501 pages are over decode\.most_pages"),
    ],
)
def test_what_cannot_be_opened_says_why(
    made: Callable[[], bytes], error: type[BadRecord], says: str
) -> None:
    with pytest.raises(error, match=says):
        open_document(made(), SETTINGS)


def test_a_document_that_lost_its_end_is_mended_where_that_can_be() -> None:
    """As a download that broke off leaves it: its table of contents is gone."""
    data = pdf(*[text(f"Page {number}") for number in range(30)])
    pages = open_document(data[:-300], SETTINGS)
    assert [page.text for page in pages] == [f"Page {number}" for number in range(30)]


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pymupdf", None)
    with pytest.raises(UnsupportedMedia, match=r"mmsearch\[media\]"):
        open_document(b"%PDF-", SETTINGS)


@pytest.mark.integration  # starts processes
def test_documents_are_opened_in_confined_processes() -> None:
    """As large as they may be, beside some that are broken, within the memory of a child."""
    openers = {"document": open_document}
    decoder = IsolatedDecoder(
        Decode(memory_mb=1024, processes=2), openers, modules=pymupdf_document.MODULES
    )
    many, few = pdf(*[text(f"Page {number}") for number in range(500)]), pdf(text("Page"))
    answers = decoder.decode(
        [("document", many), ("document", b"junk"), ("document", encrypted()), ("document", few)]
    )
    assert [type(answer).__name__ for answer in answers] == [
        "list",
        "UnsupportedMedia",
        "UnsupportedMedia",
        "list",
    ]
    assert isinstance(answers[0], list)
    assert len(answers[0]) == 500
