"""What tables say, value by value and row by row."""

from mmsearch_core.media.tables import row_texts, values
from mmsearch_core.records.table import Box, Cell, Table
from tests.tables.made import CHINESE, HEBREW, SPECIFICATION, Grid, spans, spread_header


def box(row: int, column: int, rows: int = 1, columns: int = 1) -> Box:
    return (10 * column, 10 * row, 10 * (column + columns), 10 * (row + rows))


def table(grid: Grid, header_rows: int = 1) -> Table:
    cells = []
    for row, column, rows, columns, text in spans(grid):
        if text:
            where = box(row, column, rows, columns)
            cells.append(
                Cell(row=row, column=column, rows=rows, columns=columns, text=text, box=where)
            )
    return Table(
        number=0,
        box=box(0, 0, len(grid), len(grid[0])),
        rows=len(grid),
        columns=len(grid[0]),
        header_rows=header_rows,
        cells=tuple(cells),
        source="text layer",
        confidence=1,
    )


def test_a_value_has_the_unit_of_its_header() -> None:
    chart = table([["Size", "Waist (cm)", "Weight"], ["M", "80", "1.5 kg"], ["L", "", "-"]])
    waist = next(value for value in values(chart) if value.column == 1)
    assert (waist.row, waist.label, waist.header) == (1, "M", ("Waist (cm)",))
    assert (waist.text, waist.number, waist.unit, waist.box) == ("80", 80, "cm", box(1, 1))
    assert [(value.number, value.unit) for value in values(chart) if value.column == 2] == [
        (1.5, "kg"),
        (None, ""),
    ]


def test_a_header_over_several_columns_is_part_of_the_path() -> None:
    spread = table(spread_header(4), header_rows=2)
    paths = {value.column: value.header for value in values(spread)}
    assert paths[1] == ("Body", "Chest")
    assert paths[2] == ("Body", "Waist")
    assert paths[4] == ("Notes",)


def test_a_label_over_several_rows_is_each_rows() -> None:
    labels = [value.label for value in values(table(spread_header(4), 2)) if value.column == 1]
    assert labels == ["Alpha", "Alpha", "Beta", "Beta"]


def test_units_may_have_a_column_of_their_own() -> None:
    found = [value for value in values(table(SPECIFICATION)) if value.column == 1]
    assert [value.unit for value in found[:3]] == ["g/m2", "cm", "%"]


def test_units_may_stand_at_the_row() -> None:
    turned = table([["Size", "S", "M"], ["Waist (cm)", "72", "76"]])
    assert [value.unit for value in values(turned)] == ["", "cm", "cm"]


def test_what_is_written_from_right_to_left_has_its_label_at_the_right() -> None:
    small = [value for value in values(table(HEBREW)) if value.row == 1]
    assert [value.label for value in small] == ["קטן"] * 3
    assert [value.text for value in small] == ["קטן", "88", "72"]


def test_a_row_is_a_line_that_people_would_search_for() -> None:
    chart = table([["Size", "Chest (cm)", "Waist cm"], ["M", "96", "80"], ["L", "", "84 cm"]])
    assert row_texts(chart) == [
        (1, "Size M; Chest 96 cm; Waist 80 cm", (0, 10, 30, 20)),
        (2, "Size L; Waist cm 84 cm", (0, 20, 30, 30)),
    ]
    assert row_texts(table(CHINESE))[0][1] == "尺码 小号; 胸围 86; 腰围 70厘米; 臀围 90"


def test_rows_without_headers_say_what_stands_there() -> None:
    assert [text for _, text, _ in row_texts(table([["Wash", "30"], ["Iron", "low"]], 0))] == [
        "Wash; 30",
        "Iron; low",
    ]


def test_a_table_that_is_all_header_says_nothing() -> None:
    assert values(table([["Size", "Waist"]])) == []
    assert row_texts(table([["Size", "Waist"]])) == []
