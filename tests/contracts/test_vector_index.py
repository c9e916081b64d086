"""What every vector index promises, held against MemoryIndex and Milvus Lite behind its server."""

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from mmsearch_core.adapters import milvus_index
from mmsearch_core.adapters.milvus_index import TEXT_BYTES, MilvusIndex, _pieces, queries_per_call
from mmsearch_core.errors import IndexAway, StageMissing
from mmsearch_core.ports.index import VectorIndex
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    PassageId,
    PixelsId,
    ProductId,
    RowId,
    SegmentId,
    digest,
)
from mmsearch_core.records.row import LONGEST_TEXT, ROW_COLUMNS, IndexRow, row_id
from mmsearch_core.records.segment import Page, Where, Whole
from mmsearch_core.testing.memory_index import MemoryIndex
from tests.conftest import Servers
from tests.patience import PATIENCE


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


def row(
    name: str, clip: Vector | None, text: str = "", *, build: str = "b1", where: Where | None = None
) -> IndexRow:
    passage = PassageId(digest("passage", name))
    return IndexRow(
        row_id=row_id(passage, Build(build)),
        passage_id=passage,
        segment_id=SegmentId(digest("segment", name)),
        asset_id=AssetId(digest(name)),
        product_id=ProductId(f"product {name}"),
        build=Build(build),
        kind="page_text" if isinstance(where, Page) else "caption",
        where=where or Whole(),
        pixels=PixelsId(digest("pixels", name)),
        text=text,
        vectors={"clip": clip, "sbert": unit(1, 1, 1)},
    )


def test_the_nearest_rows_come_first(index: VectorIndex, collection: str) -> None:
    """By cosine, each query by itself, with everything a match needs."""
    index.upsert(
        collection,
        [row("x", unit(1, 0, 0, 0), "red\nline", where=Page(number=2)), row("y", unit(0, 1, 0, 0))],
    )
    first, second = index.search(collection, "clip", [unit(1, 0.1, 0, 0), unit(0.1, 1, 0, 0)], 2)
    assert [match.asset_id for match in first] == [digest("x"), digest("y")]
    assert [match.asset_id for match in second] == [digest("y"), digest("x")]
    best = first[0]
    assert (best.text, best.where, best.build) == ("red\nline", Page(number=2), "b1")
    assert (best.kind, second[0].kind) == ("page_text", "caption")
    assert first[0].pixels == digest("pixels", "x")
    assert first[0].score > first[1].score


def test_the_pixels_of_all_rows_are_told(index: VectorIndex, collection: str) -> None:
    """So that what no row refers to can go."""
    index.upsert(collection, [row("x", unit(1, 0, 0, 0)), row("y", None)])
    assert {pixels for _, pixels in index.pixels(collection)} == {
        digest("pixels", "x"),
        digest("pixels", "y"),
    }
    assert {asset for asset, _ in index.pixels(collection)} == {
        asset for _, asset, _ in index.builds(collection)
    }


def test_a_row_may_have_no_vector_in_a_space(index: VectorIndex, collection: str) -> None:
    """A mixed batch is accepted, and the row is found by its words."""
    index.upsert(collection, [row("x", unit(1, 0, 0, 0)), row("y", None, "blue words")])
    assert index.search(collection, "clip", [unit(1, 0, 0, 0)], 1)[0][0].asset_id == digest("x")
    assert [m.asset_id for m in index.search_text(collection, "en", ["words"], 5)[0]] == [
        digest("y")
    ]


def test_chinese_is_found_inside_a_phrase(index: VectorIndex, collection: str) -> None:
    """The default analyzer would find nothing."""
    index.upsert(
        collection,
        [
            row("x", None, "red striped dress\n红色条纹连衣裙"),
            row("y", None, "brown bag\n棕色手提包"),
        ],
    )
    assert [m.asset_id for m in index.search_text(collection, "zh", ["连衣裙"], 5)[0]] == [
        digest("x")
    ]
    assert [m.asset_id for m in index.search_text(collection, "en", ["BAG"], 5)[0]] == [digest("y")]


@pytest.mark.parametrize("limit", [3200, 16_384])
def test_whoever_asks_for_more_rows_than_there_are_gets_all(
    index: VectorIndex, collection: str, limit: int
) -> None:
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


def test_builds_lie_side_by_side_until_the_old_one_is_retired(
    index: VectorIndex, collection: str
) -> None:
    """Only rows of other builds of the named assets go."""
    index.upsert(collection, [row(name, unit(1, 0, 0, 0), build="b1") for name in "xyz"])
    index.upsert(collection, [row(name, unit(1, 0, 0, 0), build="b2") for name in "xy"])
    assert len(list(index.builds(collection))) == 5
    keep = {AssetId(digest("x")): [row("x", None, build="b2").row_id], AssetId(digest("z")): ()}
    assert index.retire(collection, keep) == 2
    left = {(asset, build) for _, asset, build in index.builds(collection)}
    assert left == {(digest("x"), "b2"), (digest("y"), "b1"), (digest("y"), "b2")}


def test_rows_under_an_assets_name_that_are_not_its_own_are_retired(
    index: VectorIndex, collection: str
) -> None:
    """Of the same build, too: a copy under another id."""
    good = row("x", unit(1, 0, 0, 0))
    index.upsert(collection, [good, replace(good, row_id=RowId(digest("copy")))])
    assert index.retire(collection, {good.asset_id: [good.row_id]}) == 1
    assert [name for name, *_ in index.builds(collection)] == [good.row_id]


def test_every_row_says_what_it_was_when_it_was_written(
    index: VectorIndex, collection: str
) -> None:
    """As columns for all rows, with whose and what build it is, and under which token it was
    written."""
    assert sum(batch.num_rows for batch in index.row_columns(collection)) == 0
    rows = [
        row("x", unit(1, 2, 3, 4), "red\n红"),
        row("y", None, "words"),
        row("z", unit(0, 0, 0, 1)),
    ]
    index.upsert(collection, rows[:2], writer=3)
    index.upsert(collection, rows[2:], writer=4)
    batches = list(index.row_columns(collection))
    assert all(batch.schema == ROW_COLUMNS for batch in batches)
    said = {line["row_id"]: line for batch in batches for line in batch.to_pylist()}
    for it, writer in zip(rows, (3, 3, 4), strict=True):
        expected = {
            "row_id": it.row_id,
            "asset_id": it.asset_id,
            "build": it.build,
            "content": it.content,
        }
        assert said[it.row_id] == {**expected, "writer": writer}


def test_a_row_that_is_read_back_is_the_row_that_was_written(
    index: VectorIndex, collection: str
) -> None:
    """To the last bit: else its digest would differ. Of some assets, or of a part of the ids."""
    rng = np.random.default_rng(1)
    rows = [row(str(number), unit(*rng.normal(size=4)), f"text {number}") for number in range(30)]
    # more text than an index keeps
    rows += [row("page", None, "文" * 30_000, where=Page(number=2))]
    index.upsert(collection, rows, writer=7)
    found = list(index.rows_of(collection, [it.asset_id for it in rows[::2]]))
    assert {it.row.row_id: it.content for it in found} == {
        it.row_id: it.content for it in rows[::2]
    }
    assert not any(it.altered for it in found)
    assert {it.writer for it in found} == {7}
    written = {it.row_id: it for it in rows}
    for it in found:
        assert it.row.content == it.content
        clip, was = it.row.vectors["clip"], written[it.row.row_id].vectors["clip"]
        assert (clip is None) == (was is None)
        assert clip is None or was is None or clip.tobytes() == was.tobytes()
    halves = [
        list(index.rows_between(collection, first, last))
        for first, last in (("0", "8"), ("8", "g"))
    ]
    ids = [{it.row.row_id for it in half} for half in halves]
    low = {name for name in written if name < "8"}
    assert ids == [low, set(written) - low]
    assert list(index.rows_of(collection, [])) == []


@pytest.mark.integration
def test_a_collection_that_somebody_released_meanwhile_is_loaded_again(servers: Servers) -> None:
    """As Lite itself does over a restart, and under a process that has it open."""
    index = MilvusIndex(servers.settings.index.uri)
    name = f"c_{time.time_ns()}"
    index.create(name, {"clip": 4, "sbert": 3})
    index.upsert(name, [row("p1", unit(1, 0, 0, 0))])
    query = unit(1, 0, 0, 0)
    for _ in range(2):
        assert len(index.search(name, "clip", [query], 5)[0]) == 1
        index._client.release_collection(name)
        assert len(list(index.builds(name))) == 1
        index._client.release_collection(name)
    index.drop(name)


@pytest.mark.parametrize("product", ["p1", 'a"b', "a\\", "red 裙子 or 1 == 1", "p'1"])
def test_the_rows_of_a_product_are_read_whatever_its_id(
    index: VectorIndex, collection: str, product: str
) -> None:
    """The id is the shop's own text."""
    mine = replace(row("mine", unit(1, 0, 0, 0)), product_id=ProductId(product))
    index.upsert(collection, [mine, row("other", unit(0, 1, 0, 0))])
    found = [stored.row for stored in index.rows_of_product(collection, ProductId(product))]
    assert [(one.row_id, one.product_id) for one in found] == [(mine.row_id, product)]


def test_the_greatest_writer_is_known(index: VectorIndex, collection: str) -> None:
    """Whatever writers came after it."""
    assert index.greatest_writer(collection) == 0
    for writer, greatest in ((1, 1), (70, 70), (5, 70), (1_000_003, 1_000_003)):
        index.upsert(collection, [row(str(writer), unit(1, 0, 0, 0))], writer=writer)
        assert index.greatest_writer(collection) == greatest


def test_a_writer_that_lost_its_lease_takes_nothing_from_its_successor(
    index: VectorIndex, collection: str
) -> None:
    """The token lies in the rows, so that no pause between a check and a delete can matter."""
    index.upsert(collection, [row("x", unit(1, 0, 0, 0), build="b1")], writer=1)
    index.upsert(collection, [row("x", unit(1, 0, 0, 0), build="b2")], writer=2)
    assert index.retire(collection, {AssetId(digest("x")): ()}, writer=1) == 1
    assert [build for _, _, build in index.builds(collection)] == ["b2"]
    index.upsert(collection, [row("x", unit(1, 0, 0, 0), build="b2")], writer=3)
    (name,) = [name for name, *_ in index.builds(collection)]
    assert index.retire(collection, {AssetId(digest("x")): ()}, writer=2) == 0
    assert index.remove_rows(collection, [RowId(name)], writer=2) == []
    assert index.remove_rows(collection, [RowId(name)], writer=3) == [name]


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


def test_a_text_of_any_length_is_found_by_its_beginning(
    index: VectorIndex, collection: str
) -> None:
    """A whole call of rows with a seller's novel as their title, in letters of several bytes."""
    novel = "striped dress " + "红色条纹连衣裙夏季新款 " * 3_000
    rows = [row(str(number), unit(1, 0, 0, 0), novel) for number in range(10)]
    index.upsert(collection, rows)
    found = index.search(collection, "clip", [unit(1, 0, 0, 0)] * 30, 10)
    assert {len(matches) for matches in found} == {10}
    assert found[0][0].text.startswith("striped dress")
    assert len(index.search_text(collection, "en", ["striped"], 50)[0]) == 10


def test_rows_of_long_texts_go_in_smaller_pieces() -> None:
    """In order, each once."""
    plain = [row(str(number), None, "red dress") for number in range(1200)]
    assert [len(piece) for piece in _pieces(plain)] == [500, 500, 200]
    novels = [row(str(number), None, "词" * 50_000) for number in range(120)]
    mixed = novels[:60] + plain[:600] + novels[60:]
    pieces = list(_pieces(mixed))
    assert [one for piece in pieces for one in piece] == mixed
    assert all(
        sum(min(LONGEST_TEXT, len(one.text.encode())) for one in piece) <= TEXT_BYTES
        for piece in pieces
    )
    assert list(_pieces([])) == []


def test_more_rows_than_a_call_takes(index: VectorIndex, collection: str) -> None:
    """Writes, searches and deletes are cut in pieces."""
    rng = np.random.default_rng(0)
    rows = [row(str(number), unit(*rng.normal(size=4))) for number in range(1300)]
    index.upsert(collection, rows)
    assert len(list(index.builds(collection))) == 1300
    assert len(index.search(collection, "clip", [unit(1, 0, 0, 0)] * 150, 3)) == 150
    assert sum(batch.num_rows for batch in index.row_columns(collection)) == 1300
    assert len(list(index.rows_of(collection, [r.asset_id for r in rows]))) == 1300
    assert len(index.remove_rows(collection, [r.row_id for r in rows[:700]])) == 700
    assert index.retire(collection, dict.fromkeys((r.asset_id for r in rows), ())) == 600
    assert list(index.builds(collection)) == []


@pytest.mark.integration
def test_a_collection_whose_maker_died_is_made_again(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_a_collection_that_another_process_is_making_is_not_dropped(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the rows of whoever was first would go. Both finish it, and both name the same."""
    name, uri = f"c_{time.time_ns()}", servers.settings.index.uri
    slow, fast = MilvusIndex(uri), MilvusIndex(uri)
    begun, go_on = threading.Event(), threading.Event()
    create_index = slow._client.create_index

    def slowly(*arguments: object, **options: object) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)
        create_index(*arguments, **options)

    monkeypatch.setattr(slow._client, "create_index", slowly)
    with ThreadPoolExecutor(1) as thread:
        made = thread.submit(slow.create, name, {"clip": 4, "sbert": 3})
        assert begun.wait(PATIENCE)
        first = fast.create(name, {"clip": 4, "sbert": 3})
        fast.upsert(name, [row("x", unit(1, 0, 0, 0))])
        go_on.set()
        assert made.result(PATIENCE) == first == fast.uuid(name)
    assert len(list(fast.builds(name))) == 1
    fast.drop(name)


@pytest.mark.integration
def test_of_many_who_make_a_collection_at_once_all_get_the_same(servers: Servers) -> None:
    """And can all write to it."""
    uri = servers.settings.index.uri
    makers = [MilvusIndex(uri) for _ in range(4)]
    for _ in range(3):
        name, start = f"c_{time.time_ns()}", threading.Barrier(4)

        def make(maker: MilvusIndex, name: str = name, start: threading.Barrier = start) -> str:
            start.wait(PATIENCE)
            return maker.create(name, {"clip": 4, "sbert": 3})

        with ThreadPoolExecutor(4) as threads:
            found = set(threads.map(make, makers))
        assert found == {makers[0].uuid(name)}
        for number, maker in enumerate(makers):
            maker.upsert(name, [row(str(number), unit(1, 0, 0, 0))])
        assert len(list(makers[0].builds(name))) == 4
        makers[0].drop(name)


@pytest.mark.parametrize("limit", [1, 50, 200, 1000, 16_384])
def test_an_answer_stays_within_what_milvus_sends(limit: int) -> None:
    """64 MB a call, where every row has the longest text; a single query's answer cannot be cut."""
    queries = queries_per_call(limit)
    assert 1 <= queries <= 64
    assert queries == 1 or queries * limit * LONGEST_TEXT < 56_000_000


@pytest.mark.integration
def test_a_server_that_is_away_is_said_so_soon() -> None:
    """Exit 75."""
    with pytest.raises(IndexAway, match="does not answer"):
        MilvusIndex("http://127.0.0.1:9").uuid("c")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("schema", "later", "content"), [("mmsearch-2", {}, ""), ("mmsearch-3", {"content": 16}, "old")]
)
def test_an_index_of_an_earlier_schema_is_searched_and_swept(
    schema: str,
    later: dict[str, int],
    content: str,
    servers: Servers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until the next one is built. Its rows say nothing of what they were."""
    name, uri = f"c_{time.time_ns()}", servers.settings.index.uri
    made_before = MilvusIndex(uri)
    upsert = made_before._client.upsert
    with monkeypatch.context() as patch:
        patch.setattr(milvus_index, "SCHEMA", schema)
        patch.setattr(milvus_index, "LATER", later)
        made = made_before.create(name, {"clip": 4, "sbert": 3})
    fields = milvus_index._to_fields(row("x", unit(1, 0, 0, 0)))
    for field in ("content", "kind"):
        del fields[field]
    upsert(name, [{**fields, **dict.fromkeys(later, content), "writer": 2}])
    index = MilvusIndex(uri)
    assert index.uuid(name) == made
    assert index.search(name, "clip", [unit(1, 0, 0, 0)], 1)[0][0].asset_id == digest("x")
    (batch,) = index.row_columns(name)
    assert batch.column("content").to_pylist() == [content]
    assert batch.column("writer").to_pylist() == [2]
    (stored,) = index.rows_of(name, [AssetId(digest("x"))])
    assert not stored.altered
    assert index.remove_rows(name, [stored.row.row_id], writer=2)
    index.drop(name)
