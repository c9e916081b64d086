"""What was only taken for a table."""

from dataclasses import replace

import pytest

from mmsearch_core.media.table_shape import has_shape, without_surplus
from tests.tables.made import DECIMALS, WORDS, Grid, size_chart
from tests.tables.test_values import table

LONG = WORDS[:60]


@pytest.mark.parametrize(
    "grid",
    [
        [["Size", "Waist"]],
        [["Size"], ["M"]],
        [["Size", ""], ["M", ""]],
        [[LONG + str(row), LONG + str(-row)] for row in range(9)],
        [[f"{row}.", f"{LONG}{row}"] for row in range(9)],
        [["•", f"word {row}"] for row in range(9)],
        [[f"Chapter {row}" + "." * 30, str(row)] for row in range(9)],
        [["Size", "Waist"], *[["M", "80"]] * 9],
        [[str(row) if row == column else "" for column in range(9)] for row in range(9)],
    ],
    ids=["row", "column", "half", "prose", "list", "bullets", "contents", "loop", "stairs"],
)
def test_no_table(grid: Grid) -> None:
    assert not has_shape(table(grid))


@pytest.mark.parametrize(
    "grid",
    [
        DECIMALS,
        size_chart(8, 7),
        [["Shell", LONG], ["Lining", LONG + "too"]],
        [["1", "80"], ["2", "84"]],
    ],
    ids=["decimals", "chart", "long cells", "numbers"],
)
def test_a_table(grid: Grid) -> None:
    assert has_shape(table(grid))


def test_the_same_table_twice_is_one() -> None:
    chart = table(DECIMALS)
    part = table(DECIMALS[:3])
    elsewhere = replace(part, box=(500, 500, 900, 900))
    assert without_surplus([part, chart, elsewhere]) == [chart, elsewhere]


def test_what_one_reading_alone_found_needs_numbers() -> None:
    words = [["Internal medicine", "Oncology"], ["Endocrinology", "Surgery"]]
    assert has_shape(table(words))
    assert not has_shape(replace(table(words), confidence=0))
    assert has_shape(replace(table(DECIMALS), confidence=0))
