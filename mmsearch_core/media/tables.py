"""What a table says: its values under their headers, and its rows in words."""

import re

from mmsearch_core.records.table import Box, Cell, Table, TableValue

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?$")
UNIT = re.compile(r"\(([^()]+)\)\s*$")


def values(table: Table) -> list[TableValue]:
    """Every cell of the body under its headers, row by row. A cell that spans several rows or
    columns stands in each of them."""
    grid = _grid(table)
    found = []
    for row in range(table.header_rows, table.rows):
        label = grid[row, 0].text if (row, 0) in grid else ""
        for column in range(table.columns):
            cell = grid.get((row, column))
            if cell is None:
                continue
            header = _header(table, grid, column)
            unit = UNIT.search(header[-1]) if header else None
            is_number = NUMBER.match(cell.text) is not None
            value = TableValue(
                row=row,
                column=column,
                label=label,
                header=header,
                text=cell.text,
                number=float(cell.text) if is_number else None,
                unit=unit.group(1) if is_number and unit else "",
                box=cell.box,
            )
            found.append(value)
    return found


def row_texts(table: Table) -> list[tuple[int, str, Box]]:
    """The rows of the body, each with its number, its words under their headers, and its box."""
    words: dict[int, list[str]] = {}
    boxes: dict[int, Box] = {}
    for value in values(table):
        named = " ".join(dict.fromkeys(value.header))
        words.setdefault(value.row, []).append(f"{named}: {value.text}" if named else value.text)
        box = boxes.get(value.row, value.box)
        boxes[value.row] = (
            min(box[0], value.box[0]),
            min(box[1], value.box[1]),
            max(box[2], value.box[2]),
            max(box[3], value.box[3]),
        )
    return [(row, "; ".join(said), boxes[row]) for row, said in words.items()]


def _grid(table: Table) -> dict[tuple[int, int], Cell]:
    grid = {}
    for cell in table.cells:
        for row in range(cell.row, cell.row + cell.rows):
            for column in range(cell.column, cell.column + cell.columns):
                grid[row, column] = cell
    return grid


def _header(table: Table, grid: dict[tuple[int, int], Cell], column: int) -> tuple[str, ...]:
    cells = [grid.get((row, column)) for row in range(table.header_rows)]
    return tuple(dict.fromkeys(cell.text for cell in cells if cell))
