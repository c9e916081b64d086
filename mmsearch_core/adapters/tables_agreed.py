"""One table from two readings: camelot's text and columns, PyMuPDF's spans and headers, and of two
ways to divide it into rows the one that leaves the lines of a cell together."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from mmsearch_core.adapters.page_text import as_typed
from mmsearch_core.adapters.table_look import Word
from mmsearch_core.adapters.table_readings import (
    Band,
    Grid,
    Placed,
    Rectangle,
    area,
    band_of,
    bands_of_rows,
    overlap,
)
from mmsearch_core.records.table import Box, Cell, Table

Place = tuple[int, int]  # row and column
Size = tuple[float, float]  # width and height of the page, in points


@dataclass(slots=True)
class _Draft:
    """A cell on its way."""

    row: int
    column: int
    rows: int
    columns: int
    text: str
    box: Rectangle

    def covers(self) -> Iterable[Place]:
        for row in range(self.row, self.row + self.rows):
            for column in range(self.column, self.column + self.columns):
                yield row, column


def agreed(
    grid: Grid, readings: Sequence[Sequence[Placed]], words: Sequence[Word], size: Size
) -> Table:
    """The table of camelot's grid.

    :param readings: PyMuPDF's tables of the page, of which none, one or several may be there.
    :param words: of the page, by PyMuPDF.
    """
    grid = _without_titles(_without_headings(grid), _near(grid, readings))
    rows = _rows(grid, readings)
    grid = _with_lost_columns(grid, readings, words)
    near = _near(grid, readings)
    drafts = _with_spans(_drafts(grid, rows), near)
    texts = [_in_order(draft, words) for draft in drafts]
    cells = [
        Cell(
            row=draft.row,
            column=draft.column,
            rows=draft.rows,
            columns=draft.columns,
            text=text,
            box=_thousandths(draft.box, size),
        )
        for draft, text in zip(drafts, texts, strict=True)
    ]
    return Table(
        number=0,
        box=_thousandths(grid.box, size),
        rows=len(rows),
        columns=len(grid.columns),
        header_rows=_header_rows(drafts, near, len(rows)),
        cells=tuple(sorted(cells, key=lambda cell: (cell.row, cell.column))),
        source="text layer",
        confidence=_agreement(grid, drafts, near),
    )


def outside(readings: Sequence[Sequence[Placed]], grids: Sequence[Grid]) -> list[list[Placed]]:
    """PyMuPDF's tables without the cells that lie in these grids: it takes tables side by side for
    one."""
    boxes = [grid.box for grid in grids]
    return [_without(cells, boxes) for cells in readings]


def _without(cells: Sequence[Placed], boxes: list[Rectangle]) -> list[Placed]:
    return [cell for cell in cells if not _is_within_one(cell.box, boxes)]


def _near(grid: Grid, readings: Sequence[Sequence[Placed]]) -> list[Placed]:
    """PyMuPDF's cells that lie where the grid is."""
    return [cell for cell in chain(*readings) if _is_within(cell.box, grid.box)]


def _with_lost_columns(
    grid: Grid, readings: Sequence[Sequence[Placed]], words: Sequence[Word]
) -> Grid:
    """The grid with the columns beside it that PyMuPDF has in the same table: camelot leaves out
    those that are mostly empty, as the names of groups of rows are."""
    beside: list[Placed] = []
    for cells in readings:
        if any(_is_within(cell.box, grid.box) for cell in cells):
            beside += [cell for cell in cells if _is_left_or_right(cell, grid)]
    for band, cells in _columns(beside).items():
        column = [""] * len(grid.rows)
        for cell in cells:
            row = _row_of_first_line(cell, grid, words)
            column[row] = as_typed(f"{column[row]}\n{cell.text}")
        place = bisect(grid.columns, band)
        texts = zip(grid.texts, column, strict=True)
        grid = replace(
            grid,
            columns=(*grid.columns[:place], band, *grid.columns[place:]),
            texts=tuple((*row[:place], text, *row[place:]) for row, text in texts),
        )
    return grid


def _columns(cells: Sequence[Placed]) -> dict[Band, list[Placed]]:
    """The cells by the column that they begin in; columns are as wide as cells that span none."""
    columns: dict[Band, list[Placed]] = {}
    for cell in sorted(cells, key=lambda cell: cell.columns):
        left, _, right, _ = cell.box
        known = (band for band in columns if band[0] - 1 <= left < band[1] - 1)
        columns.setdefault(next(known, (left, right)), []).append(cell)
    return columns


def _is_left_or_right(cell: Placed, grid: Grid) -> bool:
    """Whether it has text, as high on the page as the grid's rows, and nothing of it in them."""
    left, top, right, bottom = grid.box
    is_beside = cell.box[2] <= left + 1 or cell.box[0] >= right - 1
    is_as_high = top - 3 <= _middle((cell.box[1], cell.box[3])) <= bottom + 3
    return bool(cell.text) and is_beside and is_as_high


def _row_of_first_line(cell: Placed, grid: Grid, words: Sequence[Word]) -> int:
    """The grid's row that is nearest to the cell's first line."""
    lines = [(word[1], word[3]) for word in words if _is_within(word[:4], cell.box)]
    middle = _middle(min(lines, default=(cell.box[1], cell.box[3])))
    distances = [abs(_middle(row) - middle) for row in grid.rows]
    return distances.index(min(distances))


def _without_headings(grid: Grid) -> Grid:
    """The grid without what stands alone right above the head of its first column, which camelot
    takes for rows. A header over two rows leaves the place below empty."""
    for start, (row, below) in enumerate(pairwise(grid.texts)):
        is_heading = bool(row[0]) and not any(row[1:])
        if not (is_heading and row[1:] and below[0]):
            return replace(grid, rows=grid.rows[start:], texts=grid.texts[start:])
    return grid


def _without_titles(grid: Grid, near: Sequence[Placed]) -> Grid:
    """The grid without what is written above and below it: rows of one cell that PyMuPDF does not
    take for the table's."""
    start, end = 0, len(grid.rows)
    while start < end and near and _is_title(grid, start, near):
        start += 1
    while end > start and near and _is_title(grid, end - 1, near):
        end -= 1
    if end - start < 2:
        return grid
    return replace(grid, rows=grid.rows[start:end], texts=grid.texts[start:end])


def _is_title(grid: Grid, row: int, near: Sequence[Placed]) -> bool:
    texts = [text for text in grid.texts[row] if text]
    return len(texts) == 1 and not any(cell.text == texts[0] for cell in near)


def _is_within(box: Rectangle, around: Rectangle) -> bool:
    """Whether most of it is."""
    return overlap(box, around) * 2 > area(box)


def _rows(grid: Grid, readings: Sequence[Sequence[Placed]]) -> tuple[Band, ...]:
    """PyMuPDF's rows where camelot took the lines of cells for rows, else camelot's."""
    for cells in readings:
        bands = bands_of_rows([cell for cell in cells if _is_beside(cell.box, grid.box)])
        if 2 <= len(bands) < len(grid.rows) and _is_of_lines(grid, bands):
            return tuple(bands)
    return grid.rows


def _is_beside(box: Rectangle, table: Rectangle) -> bool:
    """Whether its middle is where the table is."""
    across, down = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return table[0] <= across <= table[2] and table[1] - 3 <= down <= table[3] + 3


def _is_of_lines(grid: Grid, bands: list[Band]) -> bool:
    """Whether the grid's rows are lines of the rows in these bands: each lies in one of them, and
    none of the bands holds two rows that are full on their own."""
    held = [band_of(_middle(row), bands) for row in grid.rows]
    if None in held or len(set(held)) < len(bands):
        return False
    for number in range(len(bands)):
        rows = [grid.texts[row] for row, band in enumerate(held) if band == number]
        full = sum(all(row) for row in rows)
        if len(rows) > 1 and full > 1:
            return False
    return True


def _middle(band: Band) -> float:
    return (band[0] + band[1]) / 2


def _drafts(grid: Grid, rows: tuple[Band, ...]) -> list[_Draft]:
    """A cell for each place where something stands."""
    drafts: dict[Place, _Draft] = {}
    for number, texts in enumerate(grid.texts):
        row = number if rows is grid.rows else band_of(_middle(grid.rows[number]), rows)
        if row is None:
            continue
        for column, text in enumerate(texts):
            if not text:
                continue
            left, right = grid.columns[column]
            box = (left, rows[row][0], right, rows[row][1])
            draft = drafts.setdefault((row, column), _Draft(row, column, 1, 1, "", box))
            draft.text = as_typed(f"{draft.text}\n{text}")
    return list(drafts.values())


def _with_spans(drafts: list[_Draft], near: Sequence[Placed]) -> list[_Draft]:
    """The cells, made as large as PyMuPDF has them where nothing else stands there."""
    by_place = {(draft.row, draft.column): draft for draft in drafts}
    for cell in near:
        if cell.text and cell.rows * cell.columns > 1:
            _spread(by_place, cell, drafts)
    return drafts


def _spread(by_place: dict[Place, _Draft], cell: Placed, drafts: list[_Draft]) -> None:
    held = [draft for draft in drafts if _is_within(draft.box, cell.box)]
    if len(held) != 1:
        return
    (draft,) = held
    row, column = draft.row, draft.column
    rows = {row, *_positions(drafts, cell, 1)}
    columns = {column, *_positions(drafts, cell, 0)}
    larger = _Draft(
        min(rows),
        min(columns),
        max(rows) - min(rows) + 1,
        max(columns) - min(columns) + 1,
        draft.text,
        cell.box,
    )
    if any(by_place.get(place, draft) is not draft for place in larger.covers()):
        return
    draft.row, draft.column = larger.row, larger.column
    draft.rows, draft.columns, draft.box = larger.rows, larger.columns, larger.box
    by_place.update(dict.fromkeys(draft.covers(), draft))


def _positions(drafts: list[_Draft], cell: Placed, axis: int) -> set[int]:
    """The columns (axis 0) or rows (axis 1) of which the middle is within the cell."""
    found = set()
    for draft in drafts:
        if (draft.columns if axis == 0 else draft.rows) > 1:
            continue
        middle = (draft.box[axis] + draft.box[axis + 2]) / 2
        if cell.box[axis] < middle < cell.box[axis + 2]:
            found.add(draft.column if axis == 0 else draft.row)
    return found


def _in_order(draft: _Draft, words: Sequence[Word]) -> str:
    """The cell's text in the order in which it is read, which camelot does not know of what is
    written from right to left."""
    if draft.text.isascii():
        return draft.text
    left, top, right, bottom = draft.box
    inside = [
        word[4]
        for word in words
        if left <= (word[0] + word[2]) / 2 <= right and top <= (word[1] + word[3]) / 2 <= bottom
    ]
    text = as_typed(" ".join(inside))
    return text if _letters(text) == _letters(draft.text) else draft.text


def _letters(text: str) -> list[str]:
    return sorted(text.replace(" ", ""))


def _thousandths(box: Rectangle, size: Size) -> Box:
    width, height = size
    left, top = round(1000 * box[0] / width), round(1000 * box[1] / height)
    right, bottom = round(1000 * box[2] / width), round(1000 * box[3] / height)
    return _on_page(left), _on_page(top), _on_page(right), _on_page(bottom)


def _on_page(thousandths: int) -> int:
    return min(max(thousandths, 0), 1000)


def _header_rows(drafts: list[_Draft], near: Sequence[Placed], rows: int) -> int:
    """Rows at the top of which PyMuPDF takes every cell for a header; where it knows of none, the
    first row if numbers stand below it and none in it."""
    headers = [cell.box for cell in near if cell.header]
    known = 0
    while known < rows and _is_header(drafts, known, headers):
        known += 1
    if 0 < known < rows:
        return known
    numbers = [_number_of_numbers(drafts, row) for row in range(rows)]
    return int(numbers[0] == 0 and any(numbers))


def _is_header(drafts: list[_Draft], row: int, headers: list[Rectangle]) -> bool:
    cells = [draft.box for draft in drafts if draft.row == row]
    within = [box for box in cells if _is_within_one(box, headers)]
    return bool(cells) and len(within) == len(cells)


def _is_within_one(box: Rectangle, boxes: list[Rectangle]) -> bool:
    return any(_is_within(box, around) for around in boxes)


def _number_of_numbers(drafts: list[_Draft], row: int) -> int:
    return sum(draft.row == row and draft.text[:1].isdigit() for draft in drafts)


def _agreement(grid: Grid, drafts: list[_Draft], near: Sequence[Placed]) -> float:
    """The share of the cells that both read alike, at the same place."""
    alike = 0
    for draft in drafts:
        texts = {cell.text for cell in near if overlap(draft.box, cell.box) > 0}
        whole = any(draft.text in row for row in grid.texts)
        alike += whole and draft.text in texts
    return round(alike / len(drafts), 3) if drafts else 0.0
