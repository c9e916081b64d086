"""One table from two readings that differ."""

from mmsearch_core.adapters.table_readings import Grid, Placed
from mmsearch_core.adapters.tables_agreed import agreed

SIZE = (200.0, 100.0)
# two columns of numbers below their headers, from 100 points on
GRID = Grid(
    rows=((10, 20), (20, 30), (30, 40)),
    columns=((100, 140), (140, 180)),
    texts=(("Chest", "Waist"), ("88", "72"), ("92", "76")),
)


def placed(text: str, row: int, left: float, right: float, *, columns: int = 1) -> Placed:
    box = (left, 10.0 * (row + 1), right, 10.0 * (row + 2))
    return Placed(box=box, row=row, rows=1, columns=columns, text=text, header=row == 0)


def read(*beside: Placed) -> list[list[str]]:
    """The table's texts by row, where PyMuPDF also has these cells."""
    within = [
        placed(text, row, *GRID.columns[column])
        for row, texts in enumerate(GRID.texts)
        for column, text in enumerate(texts)
    ]
    table = agreed(GRID, [[*within, *beside]], [], SIZE)
    texts = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        texts[cell.row][cell.column] = cell.text
    return texts


def test_columns_that_one_reading_left_out_stand_at_their_places() -> None:
    assert read(
        placed("Fit", 0, 20, 100, columns=2),
        placed("S", 1, 60, 100),
        placed("slim", 1, 20, 60),
        placed("M", 2, 60, 100),
        placed("new", 2, 180, 200),
    ) == [
        ["Fit", "", "Chest", "Waist", ""],
        ["slim", "S", "88", "72", ""],
        ["", "M", "92", "76", "new"],
    ]


def test_edges_that_differ_by_less_than_a_point_are_of_one_column() -> None:
    assert read(placed("S", 1, 60.0, 100), placed("M", 2, 60.4, 99.8)) == [
        ["", "Chest", "Waist"],
        ["S", "88", "72"],
        ["M", "92", "76"],
    ]


def test_what_stands_above_below_or_has_no_text_is_no_column() -> None:
    nothing = placed("", 1, 20, 100), placed("footnote", 7, 20, 100)
    assert read(*nothing) == [list(texts) for texts in GRID.texts]
