"""Histories that once went wrong, shortened to what it took."""

import pytest

from mmsearch_core.errors import FeedBroken, StageMissing, TryLater
from mmsearch_core.parquet import dump
from mmsearch_core.records.asset import Change
from mmsearch_core.shards.shard import Shard
from tasks import close, compare, plan
from tests.line import INDEX, do, fake_runtime, picture
from tests.proof.shop import Shop

A, B = "pictures/p1/a.jpg", "pictures/p2/b.jpg"


@pytest.fixture
def shop() -> Shop:
    """Two pictures, live."""
    shop = Shop(fake_runtime(shards={"size": 3, "failed_at_least": 0}))
    shop.put(A, picture("red"))
    shop.put(B, picture("blue"))
    shop.settle()
    return shop


def planned(shop: Shop) -> tuple[str, str]:
    """The batch and the one shard of what is dirty now."""
    (work,) = shop.compare()
    (shard,) = plan.work(shop.runtime, work.batch).shards
    return work.batch, shard


def test_a_product_that_leaves_the_feed_takes_its_rows_along_once(shop: Shop) -> None:
    """It was a change of product every night, and its rows stayed; or it was sold for ever."""
    shop.drop_product("p1")
    shop.settle()
    assert shop.compare() == []
    shop.set_product("p1")
    shop.settle()


def test_a_feed_without_products_empties_nothing(shop: Shop) -> None:
    """An upload that broke off."""
    shop.runtime.catalog.put("products.jsonl", b"\n")
    with pytest.raises(FeedBroken, match="names no product"):
        compare.work(shop.runtime, "night")
    shop.look()


def test_bytes_that_were_away_while_they_were_read_are_not_charged(shop: Shop) -> None:
    """Replaced before decode and back before upsert: it was failed, and never tried again. The
    neighbour goes on."""
    shop.put(A, picture("green"))
    shop.put(B, picture("green"))
    _, shard = planned(shop)
    shop.put(A, picture("black"))
    do(shop.runtime, shard, *INDEX[:-1])
    shop.put(A, picture("green"))
    do(shop.runtime, shard, "upsert")
    shop.steady = {B}
    shop.look()
    shop.settle()


def test_a_shard_that_was_planned_again_is_not_mixed_with_what_was_made_of_the_old_one(
    shop: Shop,
) -> None:
    """Two plans at once: assets without segments were failed, and others got the pixels of another
    version."""
    shop.put(A, picture("green"))
    _, path = planned(shop)
    do(shop.runtime, path, *INDEX[:-1])
    shop.put(B, picture("black"))
    _, other = planned(shop)
    changes = Shard(shop.runtime.work, other).read("changes", Change)
    shop.runtime.work.put(f"{path}/changes.parquet", dump(changes, Change))
    with pytest.raises(StageMissing, match="planned again"):
        do(shop.runtime, path, "upsert")
    do(shop.runtime, path, *INDEX)
    shop.settle()


def test_an_output_that_somebody_wrote_over_is_made_again(shop: Shop) -> None:
    """The report was believed, and the next stage refused the file for ever."""
    shop.put(A, picture("green"))
    _, path = planned(shop)
    do(shop.runtime, path, "decode")
    shop.runtime.work.put(f"{path}/segments.parquet", b"what a process without a lease wrote")
    do(shop.runtime, path, *INDEX)
    shop.settle()


def test_hints_come_twice_and_of_anything_in_the_bucket(shop: Shop) -> None:
    """The feed was taken for a picture that waits for its product."""
    shop.put(A, picture("green"))
    shop.hint([A, "products.jsonl", A, "pictures/", "pictures/p9/never.jpg"])
    shop.finish(shop.open[0])
    assert shop.compare() == []
    shop.settle()


def test_a_late_batch_of_other_models_does_not_turn_the_alias_back(shop: Shop) -> None:
    """It pointed at the old collection, until something else changed."""
    runtime = shop.runtime
    shop.put(A, picture("green"))
    batch, shard = planned(shop)
    do(runtime, shard, *INDEX)
    runtime.clip.name = "another-clip"  # type: ignore[misc]
    runtime = shop.runtime = runtime.having()
    shop.settle()
    new = runtime.target().collection
    assert runtime.index.resolve("mmsearch") == new
    close.work(runtime, batch)
    assert runtime.index.resolve("mmsearch") == new


def test_a_target_that_is_whole_goes_live_though_its_batch_was_never_closed(shop: Shop) -> None:
    """A batch that was handed out and forgotten kept a new collection from ever being searched."""
    runtime = shop.runtime
    runtime.clip.name = "another-clip"  # type: ignore[misc]
    runtime = shop.runtime = runtime.having()
    old = runtime.index.resolve("mmsearch")
    _, shard = planned(shop)
    do(runtime, shard, *INDEX)
    assert runtime.index.resolve("mmsearch") == old
    assert shop.compare() == []
    assert runtime.index.resolve("mmsearch") == runtime.target().collection != old


def test_a_target_does_not_go_live_while_a_batch_of_it_has_failed() -> None:
    """Its second batch closed, and half an index was searched."""
    shop = Shop(fake_runtime(shards={"size": 1, "most": 1}))
    shop.put(A, picture("red"))
    shop.put(B, picture("blue"))
    failed, good = shop.compare()
    shop.advance(failed)
    with pytest.raises(StageMissing):
        close.work(shop.runtime, failed.batch)
    shop.finish(good)
    assert shop.runtime.index.resolve("mmsearch") is None
    shop.settle()
    assert shop.runtime.index.resolve("mmsearch") is not None


def test_rows_left_by_an_upsert_that_died_after_its_commit_go_with_the_next_refresh(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The asset counted as live, and nobody came back for its older rows."""
    shop.put(A, picture("green"))
    _, shard = planned(shop)
    do(shop.runtime, shard, *INDEX[:-1])
    with monkeypatch.context() as patch:
        patch.setattr(shop.runtime.index, "retire", _away)
        with pytest.raises(TryLater):
            do(shop.runtime, shard, "upsert")
    shop.settle()


def _away(*_: object, **__: object) -> None:
    raise TryLater("The index is away.")
