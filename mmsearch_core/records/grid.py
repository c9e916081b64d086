"""A table laid out from rows of cells as a model says them, and how far it can be believed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mmsearch_core.records.table import Box, Cell, Table

WIDEST = 32  # columns; what is wider was not read but made up
LOOPS = ((1, 5), (2, 4), (3, 4))  # so many rows that come so often in a row are a model's loop
MOST_CONFIDENCE = 0.9  # of what was read once only


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCell:
    """A cell in its row, from left to right, with how many rows and columns it spans."""

    text: str
    rows: int = 1
    columns: int = 1


def laid_out(
    rows: Sequence[Sequence[SpanCell]], *, number: int, box: Box, header_rows: int
) -> Table:
    """The table of these rows; each cell takes the first free place of its row, as in HTML, and
    none reaches below the last row. Cells have the box of the table, since nobody said theirs.

    :raises ValueError: no table: nothing below the header, too wide, or a model that went round
        in a circle.
    """
    if is_a_loop(list(map(_texts, rows))):
        raise ValueError("the same rows come again and again")
    placed = _in_their_places(rows, box)
    taken: set[tuple[int, int]] = set()
    taken.update(*map(_places, placed))
    cells = [cell for cell in placed if cell.text]
    columns = 1 + max((column for _, column in taken), default=0)
    if columns > WIDEST:
        raise ValueError(f"{columns} columns are too many")
    if not any(cell.row >= header_rows for cell in cells):
        raise ValueError("there is nothing below the header")
    return Table(
        number=number,
        box=box,
        rows=len(rows),
        columns=columns,
        header_rows=header_rows,
        cells=tuple(cells),
        source="model",
        confidence=_confidence(cells, taken, header_rows, len(rows), columns),
    )


def _texts(row: Sequence[SpanCell]) -> list[str]:
    return [cell.text for cell in row]


def _in_their_places(rows: Sequence[Sequence[SpanCell]], box: Box) -> list[Cell]:
    taken: set[tuple[int, int]] = set()
    placed = []
    for row, said in enumerate(rows):
        column = 0
        for one in said:
            while (row, column) in taken:
                column += 1
            cell = _placed(one, row, column, height=len(rows), box=box)
            if _places(cell) & taken:
                raise ValueError("a cell lies over another")
            taken |= _places(cell)
            placed.append(cell)
    return placed


def is_a_loop(rows: Sequence[Sequence[str]]) -> bool:
    """Whether some rows come again and again, as from a model that cannot stop."""
    said = [tuple(row) for row in rows]
    for period, times in LOOPS:
        for start in range(len(said) - period * times + 1):
            part = said[start : start + period * times]
            if any(map(any, part)) and part == part[:period] * times:
                return True
    return False


def _placed(one: SpanCell, row: int, column: int, *, height: int, box: Box) -> Cell:
    return Cell(
        row=row,
        column=column,
        rows=min(one.rows, height - row),
        columns=one.columns,
        text=one.text.strip(),
        box=box,
    )


def _places(cell: Cell) -> set[tuple[int, int]]:
    rows = range(cell.row, cell.row + cell.rows)
    columns = range(cell.column, cell.column + cell.columns)
    return {(row, column) for row in rows for column in columns}


def _confidence(
    cells: Sequence[Cell],
    taken: set[tuple[int, int]],
    header_rows: int,
    rows: int,
    columns: int,
) -> float:
    """How regular the table is: the share of its rows that are as wide as it, times the share of
    its values that are numbers where their column has mostly numbers, and words where mostly
    words."""
    widths = Counter(row for row, _ in taken)
    full = sum(1 for width in widths.values() if width == columns) / rows
    usual = total = 0
    for column in range(columns):
        texts = [cell.text for cell in cells if cell.column == column and cell.row >= header_rows]
        numbers = sum(1 for text in texts if any(map(str.isdigit, text)))
        usual += max(numbers, len(texts) - numbers)
        total += len(texts)
    return round(min(MOST_CONFIDENCE, full * usual / total), 3)
