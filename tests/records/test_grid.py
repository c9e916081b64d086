"""Tables that a model reads from a picture: laid out, checked, and believed so far."""

import json
from typing import Any

import pytest

from mmsearch_core.answers import to_description
from mmsearch_core.errors import UnusableAnswer
from mmsearch_core.records.grid import is_a_loop
from mmsearch_core.records.ids import SegmentId
from mmsearch_core.records.table import Table

SIZES = [["Size", "Waist"], ["S", "68"], ["M", "76"]]


def seen(*tables: dict[str, Any]) -> tuple[Table, ...]:
    said = {
        "attributes": {"page": "size chart"},
        "caption": {"en": "sizes", "zh": "尺码"},
        "keywords": {"en": [], "zh": []},
        "seen_text": [],
        "tables": tables,
    }
    return to_description(json.dumps(said), SegmentId("s")).tables


def table(rows: list[list[Any]], header_rows: int = 1, top: int = 100) -> dict[str, Any]:
    made = [[cell if isinstance(cell, dict) else {"text": cell} for cell in row] for row in rows]
    return {"box": [100, top, 900, top + 200], "header_rows": header_rows, "rows": made}


def test_rows_become_cells_with_the_box_of_their_table() -> None:
    (found,) = seen(table(SIZES))
    assert (found.rows, found.columns, found.source) == (3, 2, "model")
    assert [(cell.row, cell.column, cell.text) for cell in found.cells[2:4]] == [
        (1, 0, "S"),
        (1, 1, "68"),
    ]
    assert {cell.box for cell in found.cells} == {(100, 100, 900, 300)}
    assert found.confidence == 0.9


def test_cells_that_span_push_others_aside() -> None:
    header = [{"text": "Size", "rowspan": 2}, {"text": "Body", "colspan": 2}]
    (found,) = seen(table([header, ["Waist", "Hip"], ["S", "68", "90"]], header_rows=2))
    assert found.columns == 3
    assert [(cell.row, cell.column) for cell in found.cells] == [
        (0, 0),
        (0, 1),
        (1, 1),
        (1, 2),
        (2, 0),
        (2, 1),
        (2, 2),
    ]


def test_a_ragged_table_is_believed_less() -> None:
    (found,) = seen(table([*SIZES, ["L"], ["XL", "wide"]]))
    assert 0 < found.confidence < 0.7


def test_tables_are_numbered_from_top_to_bottom_and_empty_cells_left_out() -> None:
    low, high = seen(table(SIZES, top=600), table([["a", ""], ["", "1"]]))
    assert (low.number, low.box[1], len(low.cells)) == (0, 100, 2)
    assert (high.number, high.box[1]) == (1, 600)


def test_what_is_no_table_is_left_out_and_the_rest_stays() -> None:
    looping = [["Size", "Waist"], *[["S", "68"]] * 5]
    wide: list[list[Any]] = [[{"text": "x", "colspan": 16}] * 3, ["1"]]
    good = table(SIZES)
    assert len(seen(good, table(looping), table(wide), table([["Size"]]))) == 1


def test_the_same_rows_again_and_again_are_a_loop() -> None:
    assert is_a_loop([["S", "1"], ["M", "2"]] * 4)
    assert is_a_loop([["a"]] * 5)
    assert not is_a_loop([["a"]] * 4)
    assert not is_a_loop([["S", "1"], ["M", "1"], ["L", "1"], ["XL", "1"], ["XXL", "1"]])


@pytest.mark.parametrize("wrong", [{"header_rows": 9}, {"box": [0, 0, 2000, 1]}, {"rows": []}])
def test_an_answer_out_of_its_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnusableAnswer, match="does not fit its schema"):
        seen({**table(SIZES), **wrong})
