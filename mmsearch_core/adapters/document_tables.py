"""The tables of PDFs whose pages hold text: camelot reads the cells, PyMuPDF says which of them
span others, and how far the two agree is the table's confidence."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmsearch_core.adapters.pdfium_document import saved_again
from mmsearch_core.adapters.pymupdf_document import opened_pdf
from mmsearch_core.adapters.table_look import may_hold_table
from mmsearch_core.adapters.table_readings import (
    Grid,
    Rectangle,
    camelot_grids,
    grid_of,
    pymupdf_tables,
    split_between_rules,
)
from mmsearch_core.adapters.tables_agreed import agreed, outside
from mmsearch_core.errors import BadRecord, UnreadableMedia, UnsupportedMedia
from mmsearch_core.media.table_shape import without_surplus
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.media import Content
from mmsearch_core.records.table import Box, Table
from mmsearch_core.settings import Decode

if TYPE_CHECKING:
    import pymupdf

# what reading tables imports
MODULES = (__name__, "pymupdf", "camelot", "pypdfium2")
READER = "camelot 2 and pymupdf 2"  # other major versions may read tables otherwise
# on a page, beyond which camelot alone reads it: of 18,000, PyMuPDF's model takes minutes
MOST_DRAWINGS = 5_000
# degrees, against the clock, that set upright what is written in a direction
UPRIGHT = {(1, 0): 0, (0, -1): 270, (0, 1): 90, (-1, 0): 180}


def read_tables(
    content: Content, numbers: Sequence[int], settings: Decode
) -> dict[int, list[Table]]:
    """The tables of these pages, of the pages that have any.

    A page is read upright, however it is turned; boxes are of the page as people see it. PDFium
    mends what MuPDF finds damaged. Raises UnsupportedMedia, MediaTooLarge or UnreadableMedia, and
    MemoryError where the process gets no memory.
    """
    try:
        import camelot  # noqa: F401
    except ModuleNotFoundError as error:
        raise UnsupportedMedia(
            "Tables of PDFs need camelot: install mmsearch with the extra media (mmsearch[media])."
        ) from error
    try:
        return _read_pages(content, numbers, settings)
    except UnreadableMedia:
        mended = saved_again(content)
        if mended is None:
            raise
        return _read_pages(mended, numbers, settings)


def _read_pages(
    content: Content, numbers: Sequence[int], settings: Decode
) -> dict[int, list[Table]]:
    with opened_pdf(content, settings) as document, own_folder() as folder:
        tables = {}
        for number in sorted(set(numbers)):
            if 1 <= number <= document.page_count:
                tables[number] = _tables_of(document, number, folder)
        return {number: found for number, found in tables.items() if found}


def _tables_of(document: pymupdf.Document, number: int, folder: Path) -> list[Table]:
    import pymupdf

    page = document[number - 1]
    rotation = page.rotation
    page.set_rotation(0)
    if not page.rect.is_valid or page.rect.is_empty:
        return []
    turn = _turn(page)
    with pymupdf.open() as alone:
        upright = _upright(alone, document, page, turn)
        if not may_hold_table(upright.get_text("words")):
            return []
        path = folder / "page.pdf"
        alone.save(path)
        try:
            tables = _read(path, upright)
        except (BadRecord, MemoryError):
            raise
        except pymupdf.mupdf.FzErrorSystem as error:  # MuPDF gets no memory
            raise MemoryError(str(error)) from error
        except Exception as error:
            raise UnreadableMedia(
                f"The tables of page {number} cannot be read ({type(error).__name__}):"
                " export the document again."
            ) from error
    turned = [_turned(table, (turn + rotation) // 90 % 4) for table in without_surplus(tables)]
    return _numbered(turned)


def _turn(page: pymupdf.Page) -> int:
    """Degrees by which the page has to be turned against the clock, so that most of its letters
    stand upright."""
    letters = dict.fromkeys(UPRIGHT.values(), 0)
    for block in page.get_text("dict", flags=0)["blocks"]:
        for line in block.get("lines", ()):
            across, down = line["dir"]
            turn = UPRIGHT.get((round(across), round(down)), 0)
            letters[turn] += sum(len(span["text"]) for span in line["spans"])
    return max(letters, key=letters.__getitem__)


def _upright(
    alone: pymupdf.Document, document: pymupdf.Document, page: pymupdf.Page, turn: int
) -> pymupdf.Page:
    """The page as the only one of a document: upright, with nothing around it, and neither
    encrypted nor as damaged as its document may be."""
    width, height = page.rect.width, page.rect.height
    if turn in (90, 270):
        width, height = height, width
    upright = alone.new_page(width=width, height=height)
    with suppress(ValueError):  # a page with nothing on it
        upright.show_pdf_page(upright.rect, document, page.number, rotate=turn)
    return upright


def _read(path: Path, page: pymupdf.Page) -> list[Table]:
    width, height = page.rect.width, page.rect.height
    try:
        grids = camelot_grids(path, 1, height)
    except MemoryError:
        raise
    except Exception:  # camelot raises whatever it meets; what PyMuPDF reads alone is doubtful
        placed = pymupdf_tables(page)
        grids = [grid for grid in map(grid_of, placed) if grid]
        if not grids:  # then nobody knows that the page has none
            raise
        return [agreed(grid, [], page.get_text("words"), (width, height)) for grid in grids]
    if not grids:
        return []
    is_plain = len(page.get_bboxlog()) <= MOST_DRAWINGS
    placed, rules = (pymupdf_tables(page), _rules(page)) if is_plain else ([], [])
    words = page.get_text("words")
    apart: list[Grid] = []
    for grid in grids:
        apart += split_between_rules(grid, rules)
    tables = []
    for grid in apart:
        free = outside(placed, [other for other in apart if other is not grid])
        tables.append(agreed(grid, free, words, (width, height)))
    return tables


def _rules(page: pymupdf.Page) -> list[Rectangle]:
    """The horizontal rules of the page."""
    rules: list[Rectangle] = []
    for drawing in page.get_cdrawings():
        for kind, *points in drawing["items"]:
            if kind == "l":
                (x0, y0), (x1, y1) = points[:2]
                rules.append((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
            elif kind == "re":
                rules.append(tuple(points[0]))
    return [rule for rule in rules if rule[3] - rule[1] < 3 and rule[2] - rule[0] > 20]


def _numbered(tables: list[Table]) -> list[Table]:
    ordered = sorted(tables, key=lambda table: (table.box[1], table.box[0]))
    return [replace(table, number=number) for number, table in enumerate(ordered)]


def _turned(table: Table, quarters: int) -> Table:
    cells = [replace(cell, box=_clockwise(cell.box, quarters)) for cell in table.cells]
    return replace(table, cells=tuple(cells), box=_clockwise(table.box, quarters))


def _clockwise(box: Box, quarters: int) -> Box:
    for _ in range(quarters):
        box = (1000 - box[3], box[0], 1000 - box[1], box[2])
    return box
