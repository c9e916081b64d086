"""A table as it stands on a page, and what it says, value by value."""

from dataclasses import dataclass
from typing import Literal

from mmsearch_core.records.ids import SegmentId

# left, top, right, bottom in thousandths of the page's width and height, as Qwen3-VL gives them
Box = tuple[int, int, int, int]
# who read a table: the document's own text was taken, or Qwen3-VL read the page's picture
TableSource = Literal["text layer", "model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell, which may span several rows and columns. Rows and columns are counted from 0, those
    of the header with them."""

    row: int
    column: int
    rows: int = 1
    columns: int = 1
    text: str
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table on a page: its cells row by row, no place covered twice; empty cells are left out."""

    number: int  # on its page, from 0, from top to bottom
    box: Box
    rows: int
    columns: int
    header_rows: int
    cells: tuple[Cell, ...]
    source: TableSource
    confidence: float  # 0 to 1, how far two independent readings agree


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTables:
    """The tables that were read from the text layer of a page; a page without any has no record."""

    segment_id: SegmentId
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableValue:
    """A cell under its headers: "M, waist: 80 cm"."""

    row: int
    column: int
    label: str  # what its row is called: the text of the row's first cell
    header: tuple[str, ...]  # what its column is called, from the outermost header inward
    text: str  # as it stands there
    number: float | None  # what it measures, where it is a number
    unit: str  # of the number: its own or the header's; "" where neither says one
    box: Box
