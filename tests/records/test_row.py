"""What a row says, as a digest."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmsearch_core.records.ids import (
    AssetId,
    Build,
    PassageId,
    PixelsId,
    ProductId,
    RowId,
    SegmentId,
)
from mmsearch_core.records.row import LONGEST_TEXT, IndexRow, StoredRow, content_of
from mmsearch_core.records.segment import Page, Whole

ROW = IndexRow(
    row_id=RowId("r"),
    passage_id=PassageId("p"),
    segment_id=SegmentId("s"),
    asset_id=AssetId("a"),
    product_id=ProductId("1"),
    build=Build("b"),
    kind="caption",
    where=Whole(),
    pixels=PixelsId("x"),
    text="red dress",
    vectors={"clip": np.array([1, 0], np.float32), "sbert": None},
)
OTHERS: dict[str, Any] = {
    "asset_id": "b",
    "product_id": "2",
    "kind": "event",
    "where": Page(number=1),
    "pixels": "y",
    "text": "red dresses",
    "vectors": {"clip": np.array([1, 1e-7], np.float32), "sbert": None},
}


@pytest.mark.parametrize("field", OTHERS)
def test_whatever_differs_makes_another_digest(field: str) -> None:
    """The smallest difference of a vector, too; a vector that is missing is not one of no numbers
    elsewhere."""
    other = replace(ROW, **{field: OTHERS[field]})
    assert other.content != ROW.content
    assert StoredRow(row=other, content=ROW.content, writer=1).altered
    assert not StoredRow(row=other, content="", writer=1).altered, "nobody wrote what it was"


def test_spaces_are_told_apart_and_their_order_does_not_matter() -> None:
    vector = np.array([1, 0], np.float32)
    swapped = replace(ROW, vectors={"sbert": vector, "clip": None})
    assert swapped.content != ROW.content
    assert replace(ROW, vectors=dict(reversed(list(ROW.vectors.items())))).content == ROW.content
    assert (
        replace(ROW, vectors={"clip": vector.astype(np.float64), "sbert": None}).content
        == ROW.content
    )


def test_a_set_of_rows_has_one_digest_in_any_order_and_a_doubled_row_counts_twice() -> None:
    rows = [replace(ROW, text=str(number)) for number in range(5)]
    assert content_of(rows) == content_of(rows[::-1])
    assert (
        len(
            {
                content_of(rows),
                content_of(rows[1:]),
                content_of([*rows, rows[0]]),
                content_of(rows[:1] * 2),
            }
        )
        == 4
    )
    assert content_of(rows[:1]) == rows[0].content
    assert len(content_of(rows)) == 16


def test_text_beyond_what_an_index_keeps_does_not_count() -> None:
    """Cut between characters."""
    long = replace(ROW, text="x" * LONGEST_TEXT)
    assert replace(ROW, text="x" * LONGEST_TEXT + "more").content == long.content
    assert replace(ROW, text="xx" + "文" * LONGEST_TEXT).indexed_text == "xx" + "文" * (
        (LONGEST_TEXT - 2) // 3
    )
