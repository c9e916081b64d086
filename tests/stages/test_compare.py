"""compare: what is handed out, under which name, and what it takes the place of."""

import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from mmsearch_core.catalog.manifest import read_manifest
from mmsearch_core.errors import FeedBroken, StageMissing
from mmsearch_core.records.ids import BatchId
from mmsearch_core.wiring.batches import Runtime
from tasks import compare, drain, plan, redrive, select
from tests.line import at_another_milvus, fake_runtime, feed, index, index_batch, picture

A, B = "pictures/p1/a.jpg", "pictures/p2/b.jpg"


@pytest.fixture
def shop() -> Runtime:
    """Two products, one picture, indexed by the run "night"."""
    runtime = fake_runtime(queue={"quiet_seconds": 1})
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    runtime.catalog.put(A, picture("red"))
    index(runtime, "night")
    return runtime


def states(runtime: Runtime) -> dict[str, str]:
    target = runtime.named_target().target_id
    return {known.key: known.state for batch in runtime.ledger.known(target) for known in batch}


def tell(runtime: Runtime, key: str) -> None:
    s3 = {"bucket": {"name": "catalog"}, "object": {"key": quote_plus(key)}}
    runtime.changes.send(json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": s3}]}))  # type: ignore[attr-defined]


def test_a_comparison_that_is_cleared_hands_out_what_it_finds_now(shop: Runtime) -> None:
    """Other keys, and the same key once more; each under a name of its own."""
    names = set()
    for content in ("blue", "green", "black"):
        shop.catalog.put(B, picture(content))
        (batch,) = compare.work(shop, "night").batches
        index_batch(shop, batch)
        names.add(batch)
        assert states(shop) == {A: "live", B: "live"}
        assert compare.work(shop, "look").batches == ()
    assert len(names) == 3


def test_a_key_that_changes_again_before_its_batch_is_done_is_handed_out_again(
    shop: Runtime,
) -> None:
    """The plan that is frozen saw what was there before."""
    shop.catalog.put(B, picture("blue"))
    (first,) = compare.work(shop, "night").batches
    plan.work(shop, first)
    assert compare.work(shop, "night").batches == (first,), "a retry hands out the same"
    shop.catalog.put(B, picture("green"))
    (second,) = compare.work(shop, "night").batches
    assert second != first
    assert index_batch(shop, second).assets["live"] == 1
    assert index_batch(shop, first).superseded
    assert compare.work(shop, "look").batches == ()


def test_the_same_run_after_the_collection_was_lost_starts_anew(shop: Runtime) -> None:
    shop.catalog.put(B, picture("blue"))
    (before,) = compare.work(shop, "night").batches
    plan.work(shop, before)
    shop.index.drop(shop.target().collection)
    report = compare.work(shop, "night")
    assert report.rebuilt == shop.target().collection
    (batch,) = report.batches
    assert batch != before
    assert "was lost and is built again" in read_manifest(shop.work, BatchId(batch)).source
    assert index_batch(shop, batch).assets["live"] == 2
    assert compare.work(shop, "next night").rebuilt == ""


def test_that_a_collection_was_lost_is_said_though_the_comparison_has_to_be_tried_again(
    shop: Runtime,
) -> None:
    shop.index.drop(shop.target().collection)
    whole = shop.catalog.get("products.jsonl") or b""
    shop.catalog.put("products.jsonl", b"")
    with pytest.raises(FeedBroken, match="no product"):
        compare.work(shop, "night")
    shop.catalog.put("products.jsonl", whole)
    assert compare.work(shop, "night").rebuilt


@pytest.mark.parametrize("status", ["done", "failed"])
def test_a_batch_that_has_ended_is_not_handed_out_again(shop: Runtime, status: Any) -> None:
    request = '{"run": "backfill by hand", "redo": ["describe"]}'
    (batch,) = select.work(shop, request).batches
    assert select.work(shop, request).batches == (batch,)
    shop.ledger.close_batch(BatchId(batch), status=status, counts={})
    (again,) = select.work(shop, request).batches
    assert again != batch


def test_a_second_try_of_other_failures_is_another_batch(shop: Runtime) -> None:
    shop.catalog.put(B, b"no picture")
    index(shop, "second night")
    request = '{"run": "week"}'
    (batch,) = redrive.work(shop, request).batches
    assert redrive.work(shop, request).batches == (batch,)
    shop.catalog.put("pictures/p2/c.jpg", b"no picture either")
    index(shop, "third night")
    (again,) = redrive.work(shop, request).batches
    assert again != batch


def test_a_comparison_takes_over_from_earlier_ones_and_from_nobody_else(shop: Runtime) -> None:
    """It sees all that those left undone. Events would only come later by it; and what a backfill
    asks of assets that are as they should be, no comparison sees."""
    shop.catalog.put(B, picture("blue"))
    (earlier,) = compare.work(shop, "first night").batches
    tell(shop, B)
    (event,) = drain.work(shop, "event").batches
    (backfill,) = select.work(shop, '{"run": "backfill", "redo": ["describe"]}').batches
    (now,) = compare.work(shop, "second night").batches
    stand = {
        name: shop.ledger.batch_status(BatchId(name)) for name in (earlier, event, backfill, now)
    }
    assert stand == {earlier: "superseded", event: "open", backfill: "open", now: "open"}


def test_only_a_comparison_takes_another_milvus_for_a_loss(shop: Runtime) -> None:
    """Whatever else is started with a wrong address says so, and the ledger knows what it knew."""
    wrong, known = at_another_milvus(shop), states(shop)
    shop.catalog.put(B, picture("blue"))
    (batch,) = compare.work(shop, "second night").batches
    tell(shop, B)
    for work, argument in (
        (drain.work, "event"),
        (plan.work, batch),
        (select.work, '{"run": "backfill"}'),
        (redrive.work, '{"run": "week"}'),
    ):
        with pytest.raises(
            StageMissing, match=r"is missing from http.*correct index\.uri, or run catalog_refresh"
        ):
            work(wrong, argument)
    assert (states(shop), shop.changes.waiting()) == (known, 1)
    assert compare.work(wrong, "third night").rebuilt
    with pytest.raises(StageMissing, match="is not the one that the ledger knows"):
        drain.work(shop, "event")
