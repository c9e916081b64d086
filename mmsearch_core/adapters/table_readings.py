"""Two independent readings of the tables of an upright page: camelot's, from the positions of words
and the drawn rules, and PyMuPDF's, from a model of layouts, which knows cells that span others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mmsearch_core.adapters.page_text import as_typed

if TYPE_CHECKING:
    import pymupdf

T = TypeVar("T")
Rectangle = tuple[float, float, float, float]  # left, top, right, bottom in points
Band = tuple[float, float]  # from and to, in points: a row from its top, a column from its left
NO_CHARACTER = re.compile(r"\(cid:\d+\)")  # what camelot writes where the letter is not known
LEADERS = re.compile(r"(?:\s?\.){4,}$")  # dots that lead the eye from a label to its row


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table without spans: the text of each place, "" where nothing stands."""

    rows: tuple[Band, ...]
    columns: tuple[Band, ...]
    texts: tuple[tuple[str, ...], ...]

    @property
    def box(self) -> Rectangle:
        return (self.columns[0][0], self.rows[0][0], self.columns[-1][1], self.rows[-1][1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A cell of PyMuPDF's reading."""

    box: Rectangle
    row: int  # in its table, from 0
    rows: int
    columns: int
    text: str
    header: bool


def camelot_grids(path: Path, page: int, height: float) -> list[Grid]:
    """The tables of a page of the file.

    :param height: of the page, in points.
    """
    import camelot

    # rules are taken from the page's drawing: no picture of the page is made
    found = camelot.read_pdf(
        path, pages=str(page), flavor="hybrid", engine="vector", suppress_stdout=True
    )
    return [_grid(table, height) for table in found if table.df.size]


def _grid(table: Any, height: float) -> Grid:
    frame = table.df  # without the rows and columns in which nothing stands
    rows = [_from_top(table.rows[row], height) for row in frame.index]
    columns = [tuple(table.cols[column]) for column in frame.columns]
    texts = [tuple(map(_typed, row)) for row in frame.values.tolist()]
    if len(columns) > 2:  # of two columns it is a table of contents, known by its dots
        texts = [tuple(map(_without_leaders, row)) for row in texts]
    return Grid(rows=tuple(rows), columns=tuple(columns), texts=tuple(texts))


def _from_top(row: Band, height: float) -> Band:
    """Of camelot's rows, whose positions are counted from the foot of the page."""
    top, bottom = row
    return height - top, height - bottom


def _typed(text: object) -> str:
    return as_typed(NO_CHARACTER.sub("", str(text)))


def _without_leaders(text: str) -> str:
    return LEADERS.sub("", text)


def pymupdf_tables(page: pymupdf.Page) -> list[list[Placed]]:
    """The cells of each table of the page. Their text is not ``Table.extract``'s, which in PyMuPDF
    2.0 takes a decimal point for the next line: "60.0" becomes "600", then ".". It is asked once
    more where it failed, of which None is all that it says: a busy machine may be why."""
    found = page.find_tables(refine=True) or page.find_tables(refine=True)
    tables = found.tables if found else []
    return [_cells(table) for table in tables if table.placements]


def _cells(table: Any) -> list[Placed]:
    cells = []
    for row, placements in enumerate(table.placements):
        for cell in placements:
            placed = Placed(
                box=tuple(cell.bbox),
                row=row,
                rows=cell.rowspan,
                columns=cell.colspan,
                text=_without_leaders(as_typed(cell.text or "")),
                header=cell.tag == "th",
            )
            cells.append(placed)
    return cells


def bands_of_rows(cells: list[Placed]) -> list[Band]:
    """From top to bottom, by the cells that are one row high."""
    bands: dict[int, Band] = {}
    for cell in cells:
        if cell.rows == 1:
            top, bottom = bands.get(cell.row, (cell.box[1], cell.box[3]))
            bands[cell.row] = (min(top, cell.box[1]), max(bottom, cell.box[3]))
    return [bands[row] for row in sorted(bands)]


def band_of(position: float, bands: Sequence[Band]) -> int | None:
    """The number of the band that the position lies in."""
    for number, (start, end) in enumerate(bands):
        if start <= position <= end:
            return number
    return None


def overlap(one: Rectangle, other: Rectangle) -> float:
    """The area that both cover."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def area(box: Rectangle) -> float:
    """Square points of the box, 0 where it is none."""
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def split_between_rules(grid: Grid, rules: list[Rectangle]) -> list[Grid]:
    """Tables side by side that were read as one, where each has horizontal rules of its own."""
    left, top, right, bottom = grid.box
    within = [
        (max(rule[0], left), min(rule[2], right))
        for rule in rules
        if top - 5 <= rule[1] <= bottom + 5 and rule[0] < right and rule[2] > left
    ]
    groups = _joined(within)
    if len(groups) < 2:
        return [grid]
    columns: list[list[int]] = [[] for _ in groups]
    for number, column in enumerate(grid.columns):
        columns[_nearest(column, groups)].append(number)
    if min(map(len, columns)) < 2:
        return [grid]
    return [_only(grid, numbers) for numbers in columns]


def _joined(bands: list[Band]) -> list[Band]:
    joined: list[Band] = []
    for start, end in sorted(bands):
        if joined and start <= joined[-1][1] + 3:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _nearest(column: Band, groups: list[Band]) -> int:
    """The number of the group that covers most of the column."""
    covered = [min(column[1], end) - max(column[0], start) for start, end in groups]
    return covered.index(max(covered))


def _only(grid: Grid, columns: list[int]) -> Grid:
    texts = [_picked(row, columns) for row in grid.texts]
    kept = [number for number, row in enumerate(texts) if any(row)]
    return Grid(
        rows=_picked(grid.rows, kept),
        columns=_picked(grid.columns, columns),
        texts=_picked(texts, kept),
    )


def _picked(all_of_them: Sequence[T], numbers: list[int]) -> tuple[T, ...]:
    return tuple(all_of_them[number] for number in numbers)


def grid_of(cells: list[Placed]) -> Grid | None:
    """PyMuPDF's reading as a grid, for a page that camelot cannot read."""
    rows = bands_of_rows(cells)
    starts = sorted({round(cell.box[0]) for cell in cells})
    ends = [*starts[1:], max((cell.box[2] for cell in cells), default=0)]
    columns = list(zip(starts, ends, strict=True))
    if not rows or not columns:
        return None
    texts = [[""] * len(columns) for _ in rows]
    for cell in cells:
        row = band_of((cell.box[1] + min(cell.box[3], cell.box[1] + 4)) / 2, rows)
        column = band_of(cell.box[0] + 1, columns)
        if row is not None and column is not None:
            texts[row][column] = cell.text
    return Grid(rows=tuple(rows), columns=tuple(columns), texts=tuple(map(tuple, texts)))
