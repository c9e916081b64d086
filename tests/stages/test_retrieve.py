"""retrieve: rank fusion over products that can be shown, from the index that the plan names."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mmsearch_core.errors import ModelMismatch, StageMissing
from mmsearch_core.media import Kinds
from mmsearch_core.records.commit import Known
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    PassageId,
    PixelsId,
    ProductId,
    QueryKey,
    RowId,
    SegmentId,
)
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Candidate, Match
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.row import IndexRow
from mmsearch_core.records.segment import Whole
from mmsearch_core.search import candidates
from mmsearch_core.search.candidates import retrieve
from mmsearch_core.search.fusion import fuse
from mmsearch_core.search.legs import Leg, Legs
from mmsearch_core.settings import Search
from mmsearch_core.shards.shard import Shard
from mmsearch_core.stages.index import embed_image
from mmsearch_core.testing.fake_models import FakeEmbedder
from mmsearch_core.testing.memory_index import MemoryIndex
from mmsearch_core.wiring.batches import Runtime
from tasks import mine
from tests.line import SEARCH, ask, do, fake_runtime, feed, index, picture, with_knobs

QUERY = StandardQuery(query_key=QueryKey("k"), text="q", locale="en", wording={}, keywords={})


def match(asset: str, build: str = "live", passage: str = "p") -> Match:
    return Match(
        passage_id=PassageId(f"{passage}-{asset}"),
        segment_id=SegmentId(f"s-{asset}"),
        asset_id=AssetId(asset),
        build=build,
        kind="caption",
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
    assert [(hit.product_id, hit.ranks) for hit in found] == [
        ("A", {"clip": 1}),
        ("B", {"clip": 2}),
    ]
    assert found[0].fused == pytest.approx(1 / 61)
    assert found[0].key == "a1.jpg"


def test_legs_are_fused_by_reciprocal_rank() -> None:
    """Second in both legs beats first in one."""
    legs = {"clip": [match("a1"), match("b1")], "sbert": [match("c1"), match("b1")]}
    found = fuse(QUERY, legs, LEDGER, Search())
    assert [hit.product_id for hit in found] == ["B", "A", "C"]
    assert found[0].fused == pytest.approx(2 / 62)


def test_the_evidence_is_the_place_that_most_legs_found() -> None:
    legs = {"clip": [match("a1")], "sbert": [match("a2")], "bm25_en": [match("a2")]}
    assert fuse(QUERY, legs, LEDGER, Search())[0].key == "a2.jpg"
    # one leg each: what was seen
    del legs["bm25_en"]
    assert fuse(QUERY, legs, LEDGER, Search())[0].key == "a1.jpg"


def test_of_passages_that_look_alike_the_words_that_fit_are_the_evidence() -> None:
    """Every passage of a shot has the shot's picture, so CLIP finds any of them."""
    legs = {"clip": [match("a1")], "sbert": [match("a1", passage="event")]}
    assert fuse(QUERY, legs, LEDGER, Search())[0].passage_id == "event-a1"


def test_rows_that_are_not_live_are_dropped() -> None:
    """A row of an older build, or of an asset the ledger does not know, was left by a crash."""
    legs = {"clip": [match("a1", build="old"), match("ghost"), match("b1")]}
    assert [hit.product_id for hit in fuse(QUERY, legs, LEDGER, Search())] == ["B"]


def test_only_the_best_candidates_are_kept() -> None:
    """The judge's work is bounded."""
    legs = {"clip": [match("a1"), match("b1"), match("c1")]}
    assert len(fuse(QUERY, legs, LEDGER, Search(candidates=2))) == 2


def test_a_picture_and_words_are_looked_for_together() -> None:
    """A red picture and "striped" find what is red and striped before what is only one of the
    two."""
    index, clip, sbert = MemoryIndex(), FakeEmbedder("clip"), FakeEmbedder("sbert")
    index.create("c", {})
    index.upsert(
        "c",
        [_row(text, clip, sbert) for text in ("red dress", "striped dress", "red striped dress")],
    )
    asked = replace(QUERY, wording={"en": "striped dress"})
    by_both = Legs(index, clip, sbert).for_queries("c", [asked], [picture("red")])[0]
    assert by_both.search(by_both.looked_for, 3)[0][0].text == "red striped dress"
    by_words = Legs(index, clip, sbert).for_queries("c", [asked])[0]
    assert by_words.search(by_words.looked_for, 3)[0][0].text == "striped dress"


@dataclass
class Rows:
    """A leg that finds the same rows for every query, and keeps how it was asked."""

    rows: Sequence[Match]
    asked: list[tuple[int, int]] = field(default_factory=list)  # (queries, rows)

    def leg(self, *queries: str | None) -> Leg:
        return Leg(name="leg", looked_for=queries, search=self.search)

    def search(self, queries: Sequence[Any], limit: int) -> list[list[Match]]:
        self.asked.append((len(queries), limit))
        return [self._found(query)[:limit] for query in queries]

    def _found(self, query: object) -> list[Match]:
        return [row for row in self.rows if row.text == query]


def stocked(sold_out: int, in_stock: int, **knobs: Any) -> Runtime:
    """A ledger that knows products o0, o1, … that are sold out and n0, n1, … that are not, one
    picture each."""
    runtime = fake_runtime(**knobs)
    products = [f"o{number}" for number in range(sold_out)]
    products += [f"n{number}" for number in range(in_stock)]
    lines = [
        {"product_id": name, "title": {"en": name}, "in_stock": name[0] == "n"} for name in products
    ]
    runtime.catalog.put("products.jsonl", "\n".join(map(json.dumps, lines)).encode())
    for name in products:
        runtime.catalog.put(f"pictures/{name}/1.jpg", picture("red"))
    index(runtime)
    return runtime


def found_by(
    runtime: Runtime, rows: Rows, *looked_for: str | None, per_leg: int, deepest: int = 3200
) -> list[set[str]]:
    """The products that are retrieved for each query."""
    queries = [replace(QUERY, query_key=QueryKey(str(number))) for number in range(len(looked_for))]
    settings = Search(per_leg=per_leg, deepest=deepest, candidates=4)
    retrieved = retrieve(
        queries, [rows.leg(*looked_for)], runtime.stores, runtime.live_target(), settings
    )
    return [{str(candidate.product_id) for candidate in each.candidates} for each in retrieved]


def rows_of(runtime: Runtime, query: str) -> list[Match]:
    """The rows of all pictures, sold out ones first, as found for the query."""
    known = [
        one for batch in runtime.ledger.known(runtime.live_target().target_id) for one in batch
    ]
    known.sort(key=lambda one: one.product_id, reverse=True)
    return [replace(match(one.asset_id, one.live_build or ""), text=query) for one in known]


def test_sold_out_products_do_not_crowd_out_what_is_in_stock() -> None:
    """The leg is asked for more until there is enough or it has no more."""
    runtime = stocked(sold_out=20, in_stock=3)
    rows = Rows(rows_of(runtime, "a"))
    assert found_by(runtime, rows, "a", per_leg=5) == [{"n0", "n1", "n2"}]
    assert rows.asked == [(1, 5), (1, 10), (1, 20), (1, 40)]


def test_rows_that_are_not_live_do_not_crowd_out_those_that_are() -> None:
    """A build beside the searched one fills an index with rows for a while."""
    runtime = stocked(sold_out=0, in_stock=3)
    live = rows_of(runtime, "a")
    rows = Rows([*(replace(row, build="other") for row in live * 10), *live])
    assert found_by(runtime, rows, "a", per_leg=5) == [{"n0", "n1", "n2"}]


def test_many_pictures_of_one_product_do_not_crowd_out_the_others() -> None:
    runtime = stocked(sold_out=0, in_stock=3)
    live = rows_of(runtime, "a")
    rows = Rows([*live[:1] * 20, *live[1:]])
    assert found_by(runtime, rows, "a", per_leg=5) == [{"n0", "n1", "n2"}]


def test_an_ordinary_night_asks_each_leg_once() -> None:
    """For all queries together."""
    runtime = stocked(sold_out=1, in_stock=6)
    rows = Rows([*rows_of(runtime, "a"), *rows_of(runtime, "b")])
    assert [len(found) for found in found_by(runtime, rows, "a", None, "b", per_leg=6)] == [4, 0, 4]
    assert rows.asked == [(2, 6)]


def test_only_queries_that_lack_something_are_asked_deeper() -> None:
    """And of those only where a leg has more."""
    runtime = stocked(sold_out=8, in_stock=6)
    crowded = rows_of(runtime, "crowded")
    rows = Rows([*rows_of(runtime, "easy")[8:], *crowded, *rows_of(runtime, "few")[-2:]])
    found = found_by(runtime, rows, "easy", "crowded", "few", per_leg=4)
    assert [len(products) for products in found] == [4, 4, 2]
    assert rows.asked == [(3, 4), (1, 8), (1, 16)]


def test_there_is_a_depth_at_which_it_ends() -> None:
    """A shop that sold out costs a bounded number of rows."""
    runtime = stocked(sold_out=20, in_stock=1)
    rows = Rows(rows_of(runtime, "a"))
    assert found_by(runtime, rows, "a", per_leg=5, deepest=12) == [set()]
    assert rows.asked == [(1, 5), (1, 10), (1, 12)]


def test_no_call_asks_for_more_rows_than_an_answer_can_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their text travels along."""
    monkeypatch.setattr(candidates, "ROWS_PER_CALL", 10)
    runtime = stocked(sold_out=20, in_stock=3)
    rows = Rows(rows_of(runtime, "a"))
    assert found_by(runtime, rows, "a", "a", "a", per_leg=5) == [{"n0", "n1", "n2"}] * 3
    assert rows.asked[:3] == [(2, 5), (1, 5), (1, 10)]
    assert {queries for queries, limit in rows.asked if limit >= 10} == {1}


@pytest.fixture
def night() -> tuple[Runtime, str]:
    """Two products, and a shard of a night that is planned."""
    runtime = fake_runtime(search={"buckets": 16})
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    for product, color in {"p1": "red", "p2": "blue"}.items():
        runtime.catalog.put(f"pictures/{product}/1.jpg", picture(color))
    index(runtime)
    ask(runtime, ("red dress", "en"))
    return runtime, mine.work(runtime, "night").shards[0]


def test_an_index_that_was_retired_since_the_plan_stops_the_night(
    night: tuple[Runtime, str],
) -> None:
    runtime, shard = night
    do(runtime, shard, "standardize")
    runtime.ledger.set_status(runtime.live_target().target_id, "retired")
    with pytest.raises(StageMissing, match="run precompute_results again"):
        do(runtime, shard, "retrieve")


@pytest.mark.parametrize("rebuilt", [False, True])
@pytest.mark.parametrize("done", [SEARCH[:1], SEARCH[:2]])
def test_a_collection_that_was_lost_since_the_plan_stops_the_night(
    night: tuple[Runtime, str], done: tuple[str, ...], rebuilt: bool
) -> None:
    """Also once it is there again: what it holds then is not what was planned."""
    runtime, shard = night
    do(runtime, shard, *done)
    runtime.index.drop(runtime.live_target().collection)
    if rebuilt:
        index(runtime, "rebuild")
    with pytest.raises(StageMissing, match="run precompute_results again"):
        do(runtime, shard, SEARCH[len(done)])


def test_queries_are_embedded_as_the_rows_were(
    night: tuple[Runtime, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version of ours that embeds otherwise came between plan and search: vectors of two kinds
    have no distance."""
    runtime, shard = night
    do(runtime, shard, "standardize")
    recipes = embed_image.recipes

    def later(kinds: Kinds, model: str) -> dict[str, Recipe]:
        of_today = recipes(kinds, model)
        return {kind: replace(recipe, version=99) for kind, recipe in of_today.items()}

    monkeypatch.setattr(embed_image, "recipes", later)
    with pytest.raises(ModelMismatch, match="clear the run"):
        do(runtime, shard, "retrieve")


def test_a_night_searches_the_index_of_its_plan_whatever_is_live_by_now(
    night: tuple[Runtime, str],
) -> None:
    """Another index, of the same models, goes live meanwhile: with the old settings and with the
    new ones."""
    runtime, shard = night
    other = with_knobs(runtime, search={"buckets": 16}, decode={"quality": 80})
    planned = runtime.live_target()
    index(other, "other")
    assert other.live_target().collection != planned.collection
    do(other, shard, "standardize", "retrieve")
    do(runtime, shard, "judge")
    found = Shard(runtime.work, shard).read("candidates", Candidate)
    assert {candidate.product_id for candidate in found} == {"p1", "p2"}
    assert {candidate.pixels for candidate in found} == {
        pixels for _, pixels in runtime.index.pixels(planned.collection)
    }


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
        kind="caption",
        where=Whole(),
        pixels=PixelsId(text),
        text=text,
        vectors={"clip": seen, "sbert": read},
    )
