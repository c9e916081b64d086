"""Bucket in, published results out, on fakes."""

import json

import pytest

from mmsearch_core.errors import (
    ModelMismatch,
    StageMissing,
    StopEverything,
    TooManyFailures,
    UnreadableMedia,
)
from mmsearch_core.ports.media import Content
from mmsearch_core.records.ids import AssetId
from mmsearch_core.records.report import ModelCalls
from mmsearch_core.records.segment import Decoded
from mmsearch_core.serving.results import Results
from mmsearch_core.settings import Decode
from mmsearch_core.testing.fake_models import FakeDecoder, FakeVisionLanguageModel
from mmsearch_core.wiring.batches import Runtime
from tasks import close, compare, mine, plan
from tests.line import INDEX, ask, do, fake_runtime, feed, index, index_batch, picture, search


@pytest.fixture
def shop() -> Runtime:
    """Three products, four pictures, two queries."""
    runtime = fake_runtime(search={"buckets": 16})
    for key, color in {"p1/1": "red", "p1/2": "red", "p2/1": "blue", "p3/1": "green"}.items():
        runtime.catalog.put(f"pictures/{key}.jpg", picture(color, size=40 + len(key + color)))
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2", "p3": "Lumen 3"})
    ask(runtime, ("red dress", "en"), ("蓝色连衣裙", "zh"))
    return runtime


def published(runtime: Runtime, query: str, locale: str) -> list[tuple[str, str | None]]:
    listed = Results(runtime.work).look_up(query, locale)
    assert listed is not None
    return [(hit.product_id, hit.verdict) for hit in listed.hits]


def live(runtime: Runtime) -> set[str]:
    """Keys that the ledger says are live; checked against the index, row by row."""
    target = runtime.target()
    known = {
        known.asset_id: known for batch in runtime.ledger.known(target.target_id) for known in batch
    }
    rows = {(asset, build) for _, asset, build in runtime.index.builds(target.collection)}
    assert rows == {(name, asset.live_build) for name, asset in known.items() if asset.live_build}
    return {asset.key for asset in known.values() if asset.live_build}


def test_pictures_become_published_judged_results(shop: Runtime) -> None:
    """English and Chinese queries find the product of the right color, and nothing else."""
    report = index(shop)[0]
    assert report.assets == {"live": 4, "failed": 0, "removed": 0, "unsettled": 0}
    assert search(shop).published
    assert published(shop, "red dress", "en") == [("p1", "相关")]
    assert published(shop, "蓝色连衣裙", "zh") == [("p2", "相关")]
    assert Results(shop.work).look_up("never asked", "en") is None


def test_an_unchanged_catalog_costs_nothing(shop: Runtime) -> None:
    """No batch, no model call, no write to the index, no new generation."""
    index(shop)
    generation = search(shop).generation
    vlm, writes = shop.vlm, shop.index.writes  # type: ignore[attr-defined]
    assert isinstance(vlm, FakeVisionLanguageModel)
    calls = vlm.calls + shop.clip.calls + shop.sbert.calls  # type: ignore[attr-defined]
    assert index(shop, "run-2") == []
    report = search(shop, "run-2")
    assert (report.published, report.generation) == (False, generation)
    assert report.model_calls.made == 0
    queries = 2 * 2  # the two query texts are embedded by CLIP and by SBERT; nothing else is asked
    assert vlm.calls + shop.clip.calls + shop.sbert.calls == calls + queries  # type: ignore[attr-defined]
    assert shop.index.writes == writes  # type: ignore[attr-defined]


def test_equal_bytes_are_described_once(shop: Runtime) -> None:
    """A copy under another name and a renamed picture make no model call."""
    index(shop)
    calls = shop.vlm.calls  # type: ignore[attr-defined]
    shop.catalog.put("pictures/p3/copy.jpg", shop.catalog.get("pictures/p1/1.jpg") or b"")
    shop.catalog.put("pictures/p2/renamed.jpg", shop.catalog.get("pictures/p2/1.jpg") or b"")
    shop.catalog.delete("pictures/p2/1.jpg")
    report = index(shop, "run-2")[0]
    assert report.assets == {"live": 2, "failed": 0, "removed": 1, "unsettled": 0}
    assert report.model_calls == ModelCalls(
        made=0 + 1, saved=5
    )  # the copy's text has another title
    assert shop.vlm.calls == calls  # type: ignore[attr-defined]
    assert live(shop) == {
        f"pictures/{k}.jpg" for k in ("p1/1", "p1/2", "p3/1", "p3/copy", "p2/renamed")
    }


def test_a_replaced_picture_leaves_no_old_row_and_a_removed_one_none(shop: Runtime) -> None:
    """The index equals the bucket."""
    index(shop)
    shop.catalog.put("pictures/p1/1.jpg", picture("green"))
    shop.catalog.delete("pictures/p3/1.jpg")
    index(shop, "run-2")
    assert live(shop) == {"pictures/p1/1.jpg", "pictures/p1/2.jpg", "pictures/p2/1.jpg"}


def test_a_new_title_embeds_text_and_nothing_else(shop: Runtime) -> None:
    """No call of Qwen3-VL or CLIP."""
    index(shop)
    calls = (shop.vlm.calls, shop.clip.calls)  # type: ignore[attr-defined]
    feed(shop, {"p1": "Lumen 1 Deluxe", "p2": "Lumen 2", "p3": "Lumen 3"})
    report = index(shop, "run-2")[0]
    assert report.plan == {"changed": 2}
    assert (shop.vlm.calls, shop.clip.calls) == calls  # type: ignore[attr-defined]
    # both pictures of p1 say the same words
    assert report.stages["embed_text"].calls_made == 1


def test_an_unreadable_picture_is_a_failure_with_a_reason(shop: Runtime) -> None:
    """The shard goes on, counts add up, and the picture is not tried again until its bytes
    change."""
    shop.catalog.put("pictures/p2/broken.jpg", b"\xff\xd8\xff\xe0 this is no picture")
    shop.catalog.put("pictures/p2/empty.jpg", b"")
    report = index(shop)[0]
    assert report.assets == {"live": 4, "failed": 2, "removed": 0, "unsettled": 0}
    reasons = {
        key: failure.kind for key, failure in shop.ledger.failures(shop.target().target_id, limit=9)
    }
    assert reasons == {
        "pictures/p2/broken.jpg": "UnreadableMedia",
        "pictures/p2/empty.jpg": "UnreadableMedia",
    }
    assert index(shop, "run-2") == []
    shop.catalog.put("pictures/p2/broken.jpg", picture("black"))
    assert index(shop, "run-3")[0].assets["live"] == 1
    assert "pictures/p2/broken.jpg" in live(shop)


def test_a_picture_waits_for_its_product(shop: Runtime) -> None:
    """A picture that comes before its feed line is taken up when the line comes."""
    shop.catalog.put("pictures/p9/1.jpg", picture("black"))
    assert index(shop)[0].plan == {"added": 4, "waiting_for_product": 1}
    assert index(shop, "run-2") == []
    feed(shop, {"p1": "Lumen 1", "p2": "Lumen 2", "p3": "Lumen 3", "p9": "Lumen 9"})
    assert index(shop, "run-3")[0].plan == {"added": 1}
    assert "pictures/p9/1.jpg" in live(shop)


def without_codec(_content: Content, _settings: Decode) -> list[Decoded]:
    """The opener of an environment in which no picture opens, the best one neither."""
    raise UnreadableMedia("The codec is missing.")


def test_files_that_are_no_pictures_keep_no_good_picture_out(shop: Runtime) -> None:
    """However many they are: a known good picture opens, so the failures are the files' own."""
    for number in range(20):
        shop.catalog.put(f"pictures/p1/manual{number}.pdf", b"%PDF-1.4")
        shop.catalog.put(f"pictures/p2/broken{number}.jpg", b"bad %d" % number)
    (report,) = index(shop)
    assert report.assets == {"live": 4, "failed": 40, "removed": 0, "unsettled": 0}
    assert report.stages["decode"].tally["canary_well"] == 2  # a shard of each kind
    assert shop.index.resolve("mmsearch") is not None
    assert index(shop, "run-2") == []


def test_an_environment_in_which_nothing_opens_charges_nobody_and_heals(shop: Runtime) -> None:
    """A known good picture does not open either: the shard is tried again, and nothing is
    marked."""
    for number in range(20):
        shop.catalog.put(f"pictures/p1/more{number}.jpg", picture("red", shade=number))
    shop = shop.having(decoder=FakeDecoder({"picture": without_codec}))
    with pytest.raises(
        TooManyFailures, match=r"24 of 24 .* So did a known good item, with: The codec is missing\."
    ):
        index(shop)
    assert shop.ledger.failures(shop.target().target_id, limit=9) == []
    shop = shop.having(decoder=FakeDecoder())
    (report,) = index(shop, "run-2")
    assert report.assets == {"live": 24, "failed": 0, "removed": 0, "unsettled": 0}


def test_a_stage_that_is_done_is_skipped_and_one_that_is_early_says_so(shop: Runtime) -> None:
    """Retries are free; order is checked."""
    batch = compare.work(shop, "run").batches[0]
    shard = plan.work(shop, batch).shards[0]
    with pytest.raises(StageMissing, match="run the stage that writes it"):
        do(shop, shard, "describe")
    with pytest.raises(StageMissing, match="no report of decode"):
        close.work(shop, batch)
    do(shop, shard, *INDEX)
    calls, rows = shop.vlm.calls, shop.index.writes  # type: ignore[attr-defined]
    do(shop, shard, *INDEX)
    assert (shop.vlm.calls, shop.index.writes) == (calls, rows)  # type: ignore[attr-defined]


def test_a_model_that_changed_after_the_plan_stops_the_stage(shop: Runtime) -> None:
    """ "Clear from plan" is said before any work."""
    batch = compare.work(shop, "run").batches[0]
    shard = plan.work(shop, batch).shards[0]
    shop.vlm.name = "another-vlm"  # type: ignore[misc]
    with pytest.raises(ModelMismatch, match="clear the run"):
        do(shop, shard, "decode", "describe")


def test_a_changed_model_builds_a_new_collection_beside_the_live_one(shop: Runtime) -> None:
    """The alias switches when the new target's batches are closed; the old one stays until then."""
    index(shop)
    old = shop.index.resolve("mmsearch")
    shop.clip.name = "another-clip"  # type: ignore[misc]
    shop = shop.having()
    batches = compare.work(shop, "run-2").batches
    assert shop.index.resolve("mmsearch") == old
    for batch in batches:
        index_batch(shop, batch)
    assert shop.index.resolve("mmsearch") == shop.target().collection != old
    assert [target.status for target in shop.ledger.targets()] == ["building", "live"]


def test_a_lost_index_is_built_again(shop: Runtime) -> None:
    """Another uuid: everything known of the target is forgotten, and the next refresh makes it
    anew."""
    index(shop)
    shop.index.drop(shop.target().collection)
    assert index(shop, "run-2")[0].assets["live"] == 4
    assert len(live(shop)) == 4


def test_an_asset_that_changes_while_it_is_indexed_stays_dirty(shop: Runtime) -> None:
    """The old bytes do not become live under the new object; close asks for another refresh."""
    batch = compare.work(shop, "run").batches[0]
    shard = plan.work(shop, batch).shards[0]
    do(shop, shard, *INDEX[:-1])
    shop.catalog.put("pictures/p1/1.jpg", picture("black"))
    do(shop, shard, "upsert")
    name = next(
        k.asset_id
        for b in shop.ledger.known(shop.target().target_id)
        for k in b
        if k.key.endswith("p1/1.jpg")
    )
    assert shop.ledger.look_up(shop.target().target_id, [AssetId(name)])[name].live_build is None
    assert len(compare.work(shop, "run-2").batches) == 1


def test_nothing_is_published_without_results_or_without_an_index(shop: Runtime) -> None:
    """A gate, and an order of things."""
    with pytest.raises(StageMissing, match="catalog_refresh"):
        mine.work(shop, "run")
    index(shop)
    ask(shop, ("unanswerable one", "en"), ("unanswerable two", "en"))
    with pytest.raises(StopEverything, match="nothing was published"):
        search(shop)


def test_publishing_twice_keeps_unchanged_files(shop: Runtime) -> None:
    """A generation writes only the buckets that differ from its parent's."""
    index(shop)
    first = search(shop).generation
    ask(shop, ("red dress", "en"), ("蓝色连衣裙", "zh"), ("green dress", "en"))
    second = search(shop, "run-2")
    assert second.published
    manifest = Results(shop.work).manifest
    assert manifest.parent == first
    assert (
        sum(key.startswith(f"results/{second.generation}/") for key in manifest.buckets.values())
        == 1
    )
    assert published(shop, "red dress", "en") == [("p1", "相关")]


def test_products_with_the_same_picture_are_both_published(shop: Runtime) -> None:
    """A copy is judged as its original is: found where it fits, and left out where it does not, in
    every night."""
    shop.catalog.put("pictures/p3/1.jpg", shop.catalog.get("pictures/p1/1.jpg") or b"")
    for night in ("night-1", "night-2"):
        index(shop, night)
        search(shop, night)
        assert sorted(published(shop, "red dress", "en")) == [("p1", "相关"), ("p3", "相关")]
        assert published(shop, "蓝色连衣裙", "zh") == [("p2", "相关")]


def test_a_picture_that_moved_to_another_product_is_judged_there(shop: Runtime) -> None:
    """Night after night, without a call of the model."""
    index(shop)
    search(shop)
    shop.catalog.put("pictures/p3/1.jpg", shop.catalog.get("pictures/p2/1.jpg") or b"")
    shop.catalog.delete("pictures/p2/1.jpg")
    calls = shop.vlm.calls  # type: ignore[attr-defined]
    for night in ("night-2", "night-3"):
        index(shop, night)
        search(shop, night)
        assert published(shop, "蓝色连衣裙", "zh") == [("p3", "相关")]
        assert published(shop, "red dress", "en") == [("p1", "相关")]
    assert shop.vlm.calls == calls  # type: ignore[attr-defined]


def test_lost_pixels_cost_no_verdict_where_their_description_is_known(shop: Runtime) -> None:
    """Nobody has to look at them."""
    index(shop)
    for found in list(shop.work.list("pixels/")):
        shop.work.delete(found.key)
    assert search(shop, "night-1").published
    assert published(shop, "red dress", "en") == [("p1", "相关")]
    assert published(shop, "蓝色连衣裙", "zh") == [("p2", "相关")]


def test_what_is_sold_out_does_not_stand_in_the_way_of_what_is_not() -> None:
    """More sold-out products fit better than a leg is asked for rows."""
    runtime = fake_runtime(search={"buckets": 16, "per_leg": 20})
    sold_out = [
        {"product_id": f"old{n}", "title": {"en": "red dress"}, "in_stock": False}
        for n in range(25)
    ]
    in_stock = [
        {"product_id": f"new{n}", "title": {"en": "Lumen"}, "in_stock": True} for n in range(5)
    ]
    runtime.catalog.put("products.jsonl", "\n".join(map(json.dumps, sold_out + in_stock)).encode())
    for product in sold_out + in_stock:
        runtime.catalog.put(f"pictures/{product['product_id']}/1.jpg", picture("red"))
    ask(runtime, ("red dress", "en"))
    index(runtime)
    search(runtime)
    assert sorted(published(runtime, "red dress", "en")) == [(f"new{n}", "相关") for n in range(5)]


def test_a_line_of_the_feed_that_is_not_json_is_counted(shop: Runtime) -> None:
    """The other products are read."""
    good = shop.catalog.get("products.jsonl") or b""
    shop.catalog.put(
        "products.jsonl", good + b"\n{broken\n" + json.dumps({"title": "no id"}).encode()
    )
    assert compare.work(shop, "run").counts["feed_lines_unreadable"] == 2
