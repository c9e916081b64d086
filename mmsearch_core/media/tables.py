"""What a table says: value by value, and row by row in words."""

import re
import unicodedata
from collections.abc import Iterator

from mmsearch_core.media.quantity import quantity, unit_of_header
from mmsearch_core.records.table import Box, Cell, Table, TableValue

# the head of a column that says the units of the others
UNIT_COLUMN = re.compile(r"units?|einheit|unité|unidad|unità|单位|單位", re.IGNORECASE)

Place = tuple[int, int]  # row and column


class _Places:
    """The cells of a table by each place that they cover."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.cells: dict[Place, Cell] = {}
        for cell in table.cells:
            for place in _covered(cell):
                self.cells[place] = cell
        self.label_column = table.columns - 1 if _runs_left(table) else 0
        self.body = range(table.header_rows, table.rows)
        self._paths = {column: self._header(column) for column in range(table.columns)}
        self._units_in = self._column_of_units()

    def header(self, column: int) -> tuple[str, ...]:
        return self._paths[column]

    def label(self, row: int) -> str:
        return self._text(row, self.label_column)

    def row(self, row: int) -> Iterator[tuple[int, Cell]]:
        """Each cell of the row with its first column, in the order in which people read."""
        columns = range(self.table.columns)
        last = None
        for column in reversed(columns) if self.label_column else columns:
            cell = self.cells.get((row, column))
            if cell and cell is not last:
                yield cell.column, cell
            last = cell

    def unit(self, row: int, column: int) -> str:
        """What the headers of the column, the row's label or its cell of units say."""
        for words in (*reversed(self._paths[column]), self.label(row)):
            _, unit = unit_of_header(words)
            if unit:
                return unit
        return "" if self._units_in in (None, column) else self._text(row, self._units_in or 0)

    def _text(self, row: int, column: int) -> str:
        cell = self.cells.get((row, column))
        return cell.text if cell else ""

    def _header(self, column: int) -> tuple[str, ...]:
        cells = [self.cells.get((row, column)) for row in range(self.table.header_rows)]
        texts = [cell.text for cell in cells if cell]
        return tuple(dict.fromkeys(texts))

    def _column_of_units(self) -> int | None:
        for column, path in self._paths.items():
            if path and UNIT_COLUMN.fullmatch(path[-1].strip()):
                return column
        return None


def values(table: Table) -> list[TableValue]:
    """The cells of the body, row by row; a cell of several rows says its value in each."""
    places = _Places(table)
    found = []
    for row in places.body:
        for column, cell in places.row(row):
            number, own = quantity(cell.text)
            unit = "" if number is None else own or places.unit(row, column)
            value = TableValue(
                row=row,
                column=column,
                label=places.label(row),
                header=places.header(column),
                text=cell.text,
                number=number,
                unit=unit,
                box=cell.box,
            )
            found.append(value)
    return found


def row_texts(table: Table) -> list[tuple[int, str, Box]]:
    """Each row of the body that says anything: its number, what it says under its headers in one
    line ("Size M; Chest 96 cm; Waist 80 cm"), and the box around it."""
    places = _Places(table)
    lines = []
    for row in places.body:
        cells = list(places.row(row))
        if cells:
            parts = [_part(cell, places.header(column)) for column, cell in cells]
            lines.append((row, "; ".join(parts), _around([cell.box for _, cell in cells])))
    return lines


def _part(cell: Cell, header: tuple[str, ...]) -> str:
    """A cell under its headers, as people would write it: the unit stands behind the number."""
    number, own = quantity(cell.text)
    heads, unit = [], ""
    for words in header:
        head, said = unit_of_header(words) if number is not None and not own else (words, "")
        heads.append(head)
        unit = said or unit
    return " ".join([*heads, cell.text, *([unit] if unit else [])])


def _covered(cell: Cell) -> Iterator[Place]:
    for row in range(cell.row, cell.row + cell.rows):
        for column in range(cell.column, cell.column + cell.columns):
            yield row, column


def _runs_left(table: Table) -> bool:
    """Whether most of its letters are written from right to left: its labels stand at the right."""
    directions = [
        unicodedata.bidirectional(character) for cell in table.cells for character in cell.text
    ]
    right_to_left = sum(direction in ("R", "AL") for direction in directions)
    return right_to_left > directions.count("L")


def _around(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
