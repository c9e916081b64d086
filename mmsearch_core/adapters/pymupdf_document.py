"""A PDF becomes its pages as people see them, with the text that they hold: through PyMuPDF, for
whichever process is told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mmsearch_core.adapters.page_text import page_text
from mmsearch_core.adapters.pdfium_document import check_pages, open_again
from mmsearch_core.adapters.pillow_picture import STEEPEST
from mmsearch_core.errors import BadRecord, UnreadableMedia, UnsupportedMedia
from mmsearch_core.ports.media import Content
from mmsearch_core.records.segment import Decoded, Page
from mmsearch_core.settings import Decode

if TYPE_CHECKING:
    import pymupdf

# what opening a document imports
MODULES = (__name__, "pymupdf", "pypdfium2")
LARGEST = 4.0  # times the size on paper, at 72 pixels an inch, that a small page is drawn at
MARK, HEAD = b"%PDF-", 1_024  # which a PDF has among so many bytes at its beginning
# behind which MuPDF finds the pages of an upload that broke off, wherever that was
END = b"\ntrailer<<>>\n"


def open_document(content: Content, settings: Decode) -> list[Decoded]:
    """The opener of documents: one segment a page that shows or says anything.

    A page is drawn upright on white, its longest side bounded. Its text is the document's own, a
    paragraph a line, in the document's order. PDFium opens what MuPDF finds damaged. No script is
    run, and nothing that is attached or linked is opened. Raises UnsupportedMedia, MediaTooLarge or
    UnreadableMedia, and MemoryError where the process gets no memory.
    """
    try:
        with opened_pdf(content, settings) as document:
            pages = [_page(page, settings) for page in document]
        shown = [page for page in pages if page]
    except UnreadableMedia:
        shown = open_again(content, settings, LARGEST)
        if not shown:
            raise
    if not shown:
        raise UnreadableMedia(
            "All pages of the document are blank: look at it and export it again."
        )
    return shown


@contextmanager
def opened_pdf(content: Content, settings: Decode) -> Iterator[pymupdf.Document]:
    """A document that can be read, closed afterwards. What MuPDF raises, also while the document is
    used, becomes UnsupportedMedia, MediaTooLarge, UnreadableMedia or MemoryError."""
    try:
        import pymupdf
    except ModuleNotFoundError as error:
        raise UnsupportedMedia(
            "PDFs need PyMuPDF: install mmsearch with the extra media (mmsearch[media])."
        ) from error
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    try:
        with _opened(content) as document:
            _check(document, settings)
            yield document
    except (BadRecord, MemoryError):
        raise
    except pymupdf.mupdf.FzErrorSystem as error:  # what MuPDF raises when it gets no memory
        raise MemoryError(str(error)) from error
    except Exception as error:  # MuPDF raises whatever it meets in bytes that it did not expect
        raise UnreadableMedia(
            f"The document is damaged ({type(error).__name__}): export it again."
        ) from error


def _opened(content: Content) -> pymupdf.Document:
    import pymupdf

    if not _is_pdf(content):
        raise UnsupportedMedia("This is no PDF, whatever its name says: export it as PDF.")
    try:
        if isinstance(content, bytes):
            return pymupdf.open(stream=content, filetype="pdf")
        return pymupdf.open(content, filetype="pdf")
    except pymupdf.FileDataError:
        data = content if isinstance(content, bytes) else content.read_bytes()
        return pymupdf.open(stream=data + END, filetype="pdf")


def _is_pdf(content: Content) -> bool:
    """Whether the mark of PDF is among the first bytes, as readers of PDF look for it."""
    if isinstance(content, bytes):
        return MARK in content[:HEAD]
    with content.open("rb") as file:
        return MARK in file.read(HEAD)


def _check(document: pymupdf.Document, settings: Decode) -> None:
    if document.needs_pass:
        raise UnsupportedMedia("The document needs a password: upload it without one.")
    if document.page_count == 0 and not document.is_repaired:
        _look_for_objects(document)
    if document.page_count == 0:
        raise UnreadableMedia("The document has no page: export it again.")
    check_pages(document.page_count, settings)


def _look_for_objects(document: pymupdf.Document) -> None:
    """Through all bytes, as viewers do where the table of objects leads to none. MuPDF does it by
    itself only where it sees that the table is wrong."""
    import pymupdf

    pymupdf.mupdf.pdf_repair_xref(pymupdf.mupdf.pdf_document_from_fz_document(document.this))


def _page(page: pymupdf.Page, settings: Decode) -> Decoded | None:
    """None for a page that is blank, or so thin that no model looks at it."""
    import pymupdf

    width, height = page.rect.width, page.rect.height
    longer, shorter = max(width, height), min(width, height)
    if shorter <= 0 or longer > STEEPEST * shorter:
        return None
    scale = min(settings.page_side / longer, LARGEST)
    drawn = page.get_pixmap(
        matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csRGB, alpha=False
    )
    text = page_text(_paragraphs(page))
    if not text and _is_of_one_color(bytes(drawn.samples_mv)):
        return None
    jpeg = drawn.tobytes("jpeg", jpg_quality=settings.quality)
    return Decoded(where=Page(number=page.number + 1), jpeg=jpeg, text=text)


def _is_of_one_color(samples: bytes) -> bool:
    """Of pixels of three bytes. ``Pixmap.is_unicolor`` looks at each of them in Python."""
    return samples == samples[:3] * (len(samples) // 3)


def _paragraphs(page: pymupdf.Page) -> Iterator[str]:
    import pymupdf

    # else MuPDF takes a glyph's number in its font for the letter's, where the font does not say it
    flags = pymupdf.TEXTFLAGS_BLOCKS & ~pymupdf.TEXT_CID_FOR_UNKNOWN_UNICODE
    for *_, text, _, kind in page.get_text("blocks", flags=flags):
        if kind == 0:  # 1 is a picture
            yield text
