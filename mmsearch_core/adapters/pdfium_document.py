"""A PDF that MuPDF cannot open, opened by PDFium: each of the two mends damage that the other does
not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mmsearch_core.adapters.page_text import page_text
from mmsearch_core.adapters.pillow_picture import STEEPEST
from mmsearch_core.errors import MediaTooLarge
from mmsearch_core.ports.media import Content
from mmsearch_core.records.segment import Decoded, Page
from mmsearch_core.settings import Decode

if TYPE_CHECKING:
    import pypdfium2


def open_again(content: Content, settings: Decode, largest: float) -> list[Decoded]:
    """The pages that show or say anything, as the opener of documents gives them, but with a line
    of text a line; none where PDFium cannot open the document, either. Raises MediaTooLarge.

    :param largest: times its size on paper, at 72 pixels an inch, that a small page is drawn at.
    """
    try:
        import pypdfium2
    except ModuleNotFoundError:
        return []
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError:
        return []
    try:
        return list(_pages(document, settings, largest))
    finally:
        document.close()


def saved_again(content: Content) -> bytes | None:
    """The document as PDFium mends it; None where PDFium cannot open it, either."""
    try:
        import pypdfium2
    except ModuleNotFoundError:
        return None
    mended = io.BytesIO()
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError:
        return None
    try:
        document.save(mended)
    except pypdfium2.PdfiumError:
        return None
    finally:
        document.close()
    return mended.getvalue()


def check_pages(count: int, settings: Decode) -> None:
    """MediaTooLarge where a document has more pages than are opened."""
    if count > settings.most_pages:
        raise MediaTooLarge(f"{count} pages are over decode.most_pages ({settings.most_pages}).")


def _pages(document: pypdfium2.PdfDocument, settings: Decode, largest: float) -> Iterator[Decoded]:
    import pypdfium2

    check_pages(len(document), settings)
    document.init_forms()
    for number in range(len(document)):
        try:
            page = document[number]
        except pypdfium2.PdfiumError:
            continue  # the others are better than none
        if decoded := _page(page, number + 1, settings, largest):
            yield decoded


def _page(page: pypdfium2.PdfPage, number: int, settings: Decode, largest: float) -> Decoded | None:
    """None for a page that is blank, or so thin that no model looks at it."""
    longer, shorter = max(page.get_size()), min(page.get_size())
    if shorter <= 0 or longer > STEEPEST * shorter:
        return None
    scale = min(settings.page_side / longer, largest)
    picture = page.render(scale=scale).to_pil().convert("RGB")
    text = page_text(page.get_textpage().get_text_bounded().splitlines())
    if not text and all(low == high for low, high in picture.getextrema()):
        return None
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=settings.quality)
    return Decoded(where=Page(number=number), jpeg=jpeg.getvalue(), text=text)
