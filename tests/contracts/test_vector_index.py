"""What every vector index promises, held against MemoryIndex and Milvus Lite behind its server."""

import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from mmsearch_core.adapters.milvus_index import MilvusIndex
from mmsearch_core.errors import IndexAway, StageMissing
from mmsearch_core.ports import VectorIndex
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import AssetId, Build, PassageId, PixelsId, ProductId, SegmentId, digest
from mmsearch_core.records.row import IndexRow, row_id
from mmsearch_core.records.segment import Page, Where, Whole
from mmsearch_core.testing.memory_index import MemoryIndex
from tests.conftest import Servers


@pytest.fixture(params=["memory", pytest.param("milvus", marks=pytest.mark.integration)])
def index(request: pytest.FixtureRequest) -> VectorIndex:
    """An index of each kind."""
    if request.param == "memory":
        return MemoryIndex()
    return MilvusIndex(request.getfixturevalue("servers").settings.index.uri)


@pytest.fixture
def collection(index: VectorIndex) -> Iterator[str]:
    """A new collection of two spaces."""
    name = f"c_{time.time_ns()}"
    index.create(name, {"clip": 4, "sbert": 3})
    yield name
    index.drop(name)


def unit(*numbers: float) -> Vector:
    vector = np.array(numbers, dtype=np.float32)
    normal: Vector = vector / np.linalg.norm(vector)
    return normal


def row(name: str, clip: Vector | None, text: str = "", *, build: str = "b1", where: Where | None = None) -> IndexRow:
    passage = PassageId(digest("passage", name))
    return IndexRow(
        row_id=row_id(passage, Build(build)),
        passage_id=passage,
        segment_id=SegmentId(digest("segment", name)),
        asset_id=AssetId(digest(name)),
        product_id=ProductId(f"product {name}"),
        build=Build(build),
        where=where or Whole(),
        pixels=PixelsId(digest("pixels", name)),
        text=text,
        vectors={"clip": clip, "sbert": unit(1, 1, 1)},
    )


def test_the_nearest_rows_come_first(index: VectorIndex, collection: str) -> None:
    """By cosine, each query by itself, with everything a match needs."""
    index.upsert(
        collection, [row("x", unit(1, 0, 0, 0), "red\nline", where=Page(number=2)), row("y", unit(0, 1, 0, 0))]
    )
    first, second = index.search(collection, "clip", [unit(1, 0.1, 0, 0), unit(0.1, 1, 0, 0)], 2)
    assert [match.asset_id for match in first] == [digest("x"), digest("y")]
    assert [match.asset_id for match in second] == [digest("y"), digest("x")]
    assert (first[0].text, first[0].where, first[0].build) == ("red\nline", Page(number=2), "b1")
    assert first[0].pixels == digest("pixels", "x")
    assert first[0].score > first[1].score


def test_the_pixels_of_all_rows_are_told(index: VectorIndex, collection: str) -> None:
    """So that what no row refers to can go."""
    index.upsert(collection, [row("x", unit(1, 0, 0, 0)), row("y", None)])
    assert set(index.pixels(collection)) == {digest("pixels", "x"), digest("pixels", "y")}


def test_a_row_may_have_no_vector_in_a_space(index: VectorIndex, collection: str) -> None:
    """A mixed batch is accepted, and the row is found by its words."""
    index.upsert(collection, [row("x", unit(1, 0, 0, 0)), row("y", None, "blue words")])
    assert index.search(collection, "clip", [unit(1, 0, 0, 0)], 1)[0][0].asset_id == digest("x")
    assert [m.asset_id for m in index.search_text(collection, "en", ["words"], 5)[0]] == [digest("y")]


def test_chinese_is_found_inside_a_phrase(index: VectorIndex, collection: str) -> None:
    """The default analyzer would find nothing."""
    index.upsert(
        collection, [row("x", None, "red striped dress\n红色条纹连衣裙"), row("y", None, "brown bag\n棕色手提包")]
    )
    assert [m.asset_id for m in index.search_text(collection, "zh", ["连衣裙"], 5)[0]] == [digest("x")]
    assert [m.asset_id for m in index.search_text(collection, "en", ["BAG"], 5)[0]] == [digest("y")]


@pytest.mark.parametrize("limit", [3200, 16_384])
def test_whoever_asks_for_more_rows_than_there_are_gets_all(index: VectorIndex, collection: str, limit: int) -> None:
    """So that a search that goes deeper knows when there is no more."""
    index.upsert(collection, [row(name, unit(1, 0, 0, 0), "dress") for name in "xyz"])
    assert len(index.search(collection, "clip", [unit(1, 0, 0, 0)], limit)[0]) == 3
    assert len(index.search_text(collection, "en", ["dress"], limit)[0]) == 3


def test_a_text_without_words_finds_nothing(index: VectorIndex, collection: str) -> None:
    """And does not disturb the other texts of the call."""
    index.upsert(collection, [row("x", None, "red dress")])
    found = index.search_text(collection, "en", ["", "dress", "!?", "zebra"], 5)
    assert [len(matches) for matches in found] == [0, 1, 0, 0]
    assert index.search_text(collection, "en", [], 5) == []


def test_writing_twice_is_writing_once(index: VectorIndex, collection: str) -> None:
    """The primary key is the row id."""
    for text in ("one", "two"):
        index.upsert(collection, [row("x", unit(1, 0, 0, 0), text)])
    assert len(list(index.builds(collection))) == 1
    assert index.search(collection, "clip", [unit(1, 0, 0, 0)], 5)[0][0].text == "two"


def test_builds_lie_side_by_side_until_the_old_one_is_retired(index: VectorIndex, collection: str) -> None:
    """Only rows of other builds of the named assets go."""
    index.upsert(collection, [row(name, unit(1, 0, 0, 0), build="b1") for name in "xyz"])
    index.upsert(collection, [row(name, unit(1, 0, 0, 0), build="b2") for name in "xy"])
    assert len(list(index.builds(collection))) == 5
    keep = {AssetId(digest("x")): Build("b2"), AssetId(digest("z")): None}
    assert index.retire(collection, keep) == 2
    left = {(asset, build) for _, asset, build in index.builds(collection)}
    assert left == {(digest("x"), "b2"), (digest("y"), "b1"), (digest("y"), "b2")}


def test_a_writer_that_lost_its_lease_takes_nothing_from_its_successor(index: VectorIndex, collection: str) -> None:
    """The token lies in the rows, so that no pause between a check and a delete can matter."""
    index.upsert(collection, [row("x", unit(1, 0, 0, 0), build="b1")], writer=1)
    index.upsert(collection, [row("x", unit(1, 0, 0, 0), build="b2")], writer=2)
    assert index.retire(collection, {AssetId(digest("x")): None}, writer=1) == 1
    assert [build for _, _, build in index.builds(collection)] == ["b2"]
    index.upsert(collection, [row("x", unit(1, 0, 0, 0), build="b2")], writer=3)
    assert index.retire(collection, {AssetId(digest("x")): Build("b1")}, writer=2) == 0
    assert index.retire(collection, {AssetId(digest("x")): Build("b1")}, writer=3) == 1


def test_rows_for_a_lost_collection_are_refused_by_name(index: VectorIndex) -> None:
    """A retry cannot help: somebody has to compare again."""
    with pytest.raises(StageMissing, match="catalog_refresh"):
        index.upsert("never_made", [row("x", unit(1, 0, 0, 0))])


def test_a_collection_keeps_its_uuid(index: VectorIndex, collection: str) -> None:
    """Made again under the same name, it is another."""
    first = index.uuid(collection)
    assert first == index.create(collection, {"clip": 4, "sbert": 3})
    index.drop(collection)
    assert index.uuid(collection) is None
    assert index.create(collection, {"clip": 4, "sbert": 3}) != first


def test_an_alias_is_switched(index: VectorIndex, collection: str) -> None:
    """From nothing to one collection, and to another."""
    alias, other = f"a_{time.time_ns()}", f"{collection}_2"
    assert index.resolve(alias) is None
    index.switch(alias, collection)
    assert index.resolve(alias) == collection
    index.create(other, {"clip": 4, "sbert": 3})
    index.switch(alias, other)
    assert index.resolve(alias) == other


def test_more_rows_than_a_call_takes(index: VectorIndex, collection: str) -> None:
    """Writes, searches and deletes are cut in pieces."""
    rng = np.random.default_rng(0)
    rows = [row(str(number), unit(*rng.normal(size=4))) for number in range(1300)]
    index.upsert(collection, rows)
    assert len(list(index.builds(collection))) == 1300
    assert len(index.search(collection, "clip", [unit(1, 0, 0, 0)] * 150, 3)) == 150
    assert index.retire(collection, dict.fromkeys((r.asset_id for r in rows), None)) == 1300
    assert list(index.builds(collection)) == []


@pytest.mark.integration
def test_a_collection_whose_maker_died_is_made_again(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was there, and could never be loaded: its indexes were missing."""
    name, uri = f"c_{time.time_ns()}", servers.settings.index.uri
    maker = MilvusIndex(uri)
    with monkeypatch.context() as patch:
        patch.setattr(maker._client, "create_index", lambda *_, **__: sys.exit("killed"))
        with pytest.raises(SystemExit):
            maker.create(name, {"clip": 4, "sbert": 3})
    index = MilvusIndex(uri)
    assert index._client.has_collection(name)
    assert index.uuid(name) is None
    assert index.create(name, {"clip": 4, "sbert": 3}) == index.uuid(name)
    index.upsert(name, [row("x", unit(1, 0, 0, 0))])
    assert len(index.search(name, "clip", [unit(1, 0, 0, 0)], 1)[0]) == 1
    index.drop(name)


@pytest.mark.integration
def test_a_server_that_is_away_is_said_so_soon() -> None:
    """Exit 75."""
    with pytest.raises(IndexAway, match="does not answer"):
        MilvusIndex("http://127.0.0.1:9").uuid("c")
