"""Records come back from Parquet and JSON as they went in."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.parquet import dump, load
from mmsearch_core.records.asset import Asset, Change, ObjectRef, Removal, asset_id
from mmsearch_core.records.description import Description, SeenText
from mmsearch_core.records.embedding import Embedding
from mmsearch_core.records.ids import (
    AssetId,
    BatchId,
    Build,
    PassageId,
    PixelsId,
    ProductId,
    RecipeId,
    RowId,
    SegmentId,
    TargetId,
)
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.row import IndexRow
from mmsearch_core.records.segment import Page, Segment, Span, Where, Whole, parse_where

NOW = datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC)


def test_a_union_of_records_keeps_each_kind() -> None:
    """Assets and removals share a file."""
    source = ObjectRef(bucket="b", key="图/a b+%2F.jpg", etag="e", size=3, last_modified=NOW)
    asset = Asset(
        asset_id=asset_id("b", "k"), product_id=ProductId("p"), kind="picture", source=source
    )
    changes = [asset, Removal(asset_id=AssetId("x"), bucket="b", key="k")]
    assert load(dump(changes, Change), Change) == changes


def test_equal_records_give_equal_bytes_and_an_empty_file_has_columns() -> None:
    """Digests of files stand in fingerprints."""
    assert dump([], Change) == dump([], Change)
    assert load(dump([], Segment), Segment) == []


@given(st.text(), st.lists(st.text(), max_size=4), st.integers(0, 1000))
def test_any_text_survives(text: str, words: list[str], number: int) -> None:
    """What a model says is any text."""
    clean = text.encode("utf-8", "ignore").decode()
    words = [word.encode("utf-8", "ignore").decode() for word in words]
    said = Description(
        segment_id=SegmentId("s"),
        attributes={"color": clean},
        caption={"en": clean, "zh": "红"},
        keywords={"en": tuple(words), "zh": ()},
        seen_text=(SeenText(text=clean, box=(number, 0, 1000, 1000)),),
    )
    assert load(dump([said], Description), Description) == [said]


def test_vectors_keep_every_bit_and_may_be_absent() -> None:
    """A vector is stored as float32, unrounded; a space without a vector reads as None."""
    vector = np.random.default_rng(0).normal(size=7).astype(np.float32)
    there = load(
        dump([Embedding(record_id="r", space="clip", vector=vector)], Embedding), Embedding
    )[0]
    assert there.vector.dtype == np.float32
    assert np.array_equal(there.vector, vector)
    row = IndexRow(
        row_id=RowId("r"),
        passage_id=PassageId("p"),
        segment_id=SegmentId("s"),
        asset_id=AssetId("a"),
        product_id=ProductId("p"),
        build=Build("b"),
        kind="caption",
        where=Whole(),
        pixels=PixelsId("x"),
        text="t",
        vectors={"clip": vector, "sbert": None},
    )
    back = load(dump([row], IndexRow), IndexRow)[0]
    assert back.vectors["sbert"] is None
    assert np.array_equal(back.vectors["clip"], vector)


def test_places_are_read_back() -> None:
    """Text and place are each other's inverse."""
    places: list[Where] = [
        Whole(),
        Page(number=3),
        Page(number=3, box=(0, 20, 300, 1000)),
        Span(start=1.5, end=4),
    ]
    assert [parse_where(str(place)) for place in places] == places


def test_a_plan_is_readable_json() -> None:
    plan = Plan(
        batch=BatchId("b"),
        line="index",
        target_id=TargetId("t"),
        collection="c",
        made_at=NOW,
        commit=1,
        recipes={"picture": {"decode": RecipeId("r")}},
        shards={"runs/b/shards/00000": 2},
        counts={},
        versions={},
    )
    assert from_json(to_json(plan), Plan) == plan
