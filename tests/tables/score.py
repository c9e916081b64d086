"""How much of the truth stands in the tables that were read."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mmsearch_core.records.table import Cell, Table
from tests.tables.made import Grid, spans

Place = tuple[int, int, int, int, str]


@dataclass
class Score:
    """Of the documents of one kind."""

    cells: int = 0
    exact: int = 0  # cells with their text, place and span
    tables: int = 0
    read: int = 0
    confidence: float = 0.0  # of the tables read, summed
    headers: int = 0  # tables with as many rows of header as they have

    def add(self, truth: Sequence[Grid], tables: Sequence[Table]) -> None:
        self.tables += len(truth)
        self.read += len(tables)
        self.confidence += sum(table.confidence for table in tables)
        for grid in truth:
            right = true_cells(grid)
            best = max(tables, key=lambda table: len(right & read_cells(table)), default=None)
            self.cells += len(right)
            if best:
                self.exact += len(right & read_cells(best))
                self.headers += best.header_rows == header_rows(grid)


class Scores(defaultdict[str, Score]):
    """By kind of document."""

    def __init__(self) -> None:
        super().__init__(Score)


def true_cells(grid: Grid) -> set[Place]:
    cells = set()
    for row, column, rows, columns, text in spans(grid):
        if text:
            cells.add((row, column, rows, columns, text.replace("\n", " ")))
    return cells


def read_cells(table: Table) -> set[Place]:
    return {_place(cell) for cell in table.cells}


def _place(cell: Cell) -> Place:
    return cell.row, cell.column, cell.rows, cell.columns, cell.text


def header_rows(grid: Grid) -> int:
    return 2 if grid[0][1] == "Body" else 1
