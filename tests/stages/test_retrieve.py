"""retrieve: rank fusion over products."""

from dataclasses import replace

import pytest

from mmsearch_core.records.commit import Known
from mmsearch_core.records.ids import AssetId, Build, PassageId, PixelsId, ProductId, QueryKey, RowId, SegmentId
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Match
from mmsearch_core.records.row import IndexRow
from mmsearch_core.records.segment import Whole
from mmsearch_core.settings import Search
from mmsearch_core.stages.retrieve import Legs, fuse
from mmsearch_core.testing.fake_models import FakeEmbedder
from mmsearch_core.testing.memory_index import MemoryIndex
from tests.line import picture

QUERY = StandardQuery(query_key=QueryKey("k"), text="q", locale="en", wording={}, keywords={})


def match(asset: str, build: str = "live") -> Match:
    return Match(
        passage_id=PassageId(f"p-{asset}"),
        segment_id=SegmentId(f"s-{asset}"),
        asset_id=AssetId(asset),
        build=build,
        where=Whole(),
        pixels=PixelsId(asset),
        text=asset,
        score=1.0,
    )


def known(asset: str, product: str) -> Known:
    return Known(
        asset_id=AssetId(asset),
        bucket="b",
        key=f"{asset}.jpg",
        product_id=ProductId(product),
        source_version="v",
        product_text="",
        state="live",
        live_build=Build("live"),
        attempts=0,
    )


LEDGER = {AssetId(a): known(a, p) for a, p in {"a1": "A", "a2": "A", "b1": "B", "c1": "C"}.items()}


def test_a_product_stands_once_a_leg_where_its_best_picture_stands() -> None:
    """Two pictures of A at the top of a leg do not push B to third place."""
    found = fuse(QUERY, {"clip": [match("a1"), match("a2"), match("b1")]}, LEDGER, Search())
    assert [(hit.product_id, hit.ranks) for hit in found] == [("A", {"clip": 1}), ("B", {"clip": 2})]
    assert found[0].fused == pytest.approx(1 / 61)
    assert found[0].picture == "a1.jpg"


def test_legs_are_fused_by_reciprocal_rank() -> None:
    """Second in both legs beats first in one."""
    legs = {"clip": [match("a1"), match("b1")], "sbert": [match("c1"), match("b1")]}
    found = fuse(QUERY, legs, LEDGER, Search())
    assert [hit.product_id for hit in found] == ["B", "A", "C"]
    assert found[0].fused == pytest.approx(2 / 62)


def test_rows_that_are_not_live_are_dropped() -> None:
    """A row of an older build, or of an asset the ledger does not know, was left by a crash."""
    legs = {"clip": [match("a1", build="old"), match("ghost"), match("b1")]}
    assert [hit.product_id for hit in fuse(QUERY, legs, LEDGER, Search())] == ["B"]


def test_only_the_best_candidates_are_kept() -> None:
    """The judge's work is bounded."""
    legs = {"clip": [match("a1"), match("b1"), match("c1")]}
    assert len(fuse(QUERY, legs, LEDGER, Search(candidates=2))) == 2


def test_a_picture_and_words_are_looked_for_together() -> None:
    """A red picture and "striped" find what is red and striped before what is only one of the two."""
    index, clip, sbert = MemoryIndex(), FakeEmbedder("clip"), FakeEmbedder("sbert")
    index.create("c", {})
    index.upsert("c", [_row(text, clip, sbert) for text in ("red dress", "striped dress", "red striped dress")])
    asked = replace(QUERY, wording={"en": "striped dress"})
    (found,) = Legs(index, clip, sbert, per_leg=3).find("c", [asked], [picture("red")])
    assert found["clip"][0].text == "red striped dress"
    (words,) = Legs(index, clip, sbert, per_leg=3).find("c", [asked])
    assert words["clip"][0].text == "striped dress"


def _row(text: str, clip: FakeEmbedder, sbert: FakeEmbedder) -> IndexRow:
    (seen,), (read,) = clip.embed([text]), sbert.embed([text])
    assert not isinstance(seen, Exception)
    assert not isinstance(read, Exception)
    return IndexRow(
        row_id=RowId(text),
        passage_id=PassageId(text),
        segment_id=SegmentId(text),
        asset_id=AssetId(text),
        product_id=ProductId(text),
        build=Build("live"),
        where=Whole(),
        pixels=PixelsId(text),
        text=text,
        vectors={"clip": seen, "sbert": read},
    )
