"""PDFs as the world sends them, each made here."""

import io
from collections.abc import Callable
from typing import Any

from PIL import Image

from mmsearch_core.testing.fake_models import COLORS

Draw = Callable[[Any], None]


def pdf(*pages: Draw, size: tuple[float, float] = (595, 842), **save: Any) -> bytes:
    """A document of these pages, ``size`` in points (72 an inch)."""
    import pymupdf

    with pymupdf.open() as document:
        for draw in pages:
            draw(document.new_page(width=size[0], height=size[1]))
        data: bytes = document.tobytes(**save)
        return data


def text(words: str, x: float = 72, y: float = 72, **options: Any) -> Draw:
    """A page that says this."""

    def draw(page: Any) -> None:
        page.insert_text((x, y), words, **options)

    return draw


def blank(_: Any) -> None:
    """A page with nothing on it."""


def colored(color: tuple[int, int, int], mode: str = "RGB") -> Draw:
    """A page that is one picture, as a scanner makes it."""

    def draw(page: Any) -> None:
        out = io.BytesIO()
        picture = Image.new("RGB", (400, 560), color).convert(mode)
        picture.save(out, "JPEG" if mode == "CMYK" else "PNG")
        page.insert_image(page.rect, stream=out.getvalue())

    return draw


def page(color: str, words: str) -> Draw:
    """A page in one of the colors that the fake model knows, that says this."""
    red, green, blue = COLORS[color][0]

    def draw(on: Any) -> None:
        on.draw_rect(on.rect, color=None, fill=(red / 255, green / 255, blue / 255))
        for number, line in enumerate(words.splitlines()):  # each a paragraph of its own
            on.insert_text((20, 20 + 40 * number), line, fontsize=6)

    return draw


def with_xref(document: bytes, change: Callable[[Any], None]) -> bytes:
    """The document after a change of the whole."""
    import pymupdf

    with pymupdf.open(stream=document, filetype="pdf") as opened:
        change(opened)
        data: bytes = opened.tobytes()
        return data
