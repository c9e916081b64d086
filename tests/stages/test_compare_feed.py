"""compare: what the bucket and the feed say against what is indexed."""

from typing import Any

import pytest

from mmsearch_core.catalog.manifest import read_manifest
from mmsearch_core.errors import FeedBroken, TooManyRemovals
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import BatchId
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import compare, plan
from tests.line import (
    INDEX,
    OTHER_MODEL,
    do,
    fake_runtime,
    feed,
    index,
    index_batch,
    picture,
    with_knobs,
)

TITLES = {f"p{number}": f"Lumen {number}" for number in range(10)}


def shop(**catalog: Any) -> Runtime:
    """Ten products of a picture each, indexed."""
    runtime = fake_runtime(catalog={"removed_at_least": 3, **catalog})
    feed(runtime, TITLES)
    for name in TITLES:
        runtime.catalog.put(f"pictures/{name}/a.jpg", picture("red"))
    index(runtime, "first")
    return runtime


def moved(runtime: Runtime, **catalog: Any) -> Runtime:
    """Another process, with another catalog in its settings."""
    other = with_knobs(runtime, catalog={"removed_at_least": 3, **catalog})
    return other.having(catalog=MemoryStore(other.settings.catalog.bucket))


def live(runtime: Runtime) -> set[tuple[str, str]]:
    """Bucket and key of all that has rows."""
    target = runtime.target()
    rows = {asset for _, asset, _ in runtime.index.builds(target.collection)}
    known = [one for batch in runtime.ledger.known(target.target_id) for one in batch]
    assert rows == {one.asset_id for one in known if one.live_build}
    return {(one.bucket, one.key) for one in known if one.live_build}


def test_half_a_feed_withdraws_nothing_until_a_person_says_so() -> None:
    """The pictures of the other half would be gone by the morning."""
    runtime = shop()
    feed(runtime, {name: title for name, title in TITLES.items() if name < "p5"})
    before = live(runtime)
    with pytest.raises(TooManyRemovals, match="5 of 10 products"):
        compare.work(runtime, "night")
    assert live(runtime) == before
    (batch,) = compare.work(runtime, "by hand", approve_removals=5).batches
    index_batch(runtime, batch)
    assert len(live(runtime)) == 5


def test_a_line_that_cannot_be_read_withdraws_nothing_and_is_told() -> None:
    runtime = shop()
    lines = (runtime.catalog.get("products.jsonl") or b"").replace(
        b'"price": 9.5', b'"price": "9,5"', 6
    )
    runtime.catalog.put("products.jsonl", lines)
    report = compare.work(runtime, "night")
    assert report.batches == ()
    assert (report.counts["products_kept"], report.counts["unchanged"]) == (6, 10)
    assert report.feed_problems[0].startswith("line 1 (p0): price: ")


def test_a_feed_of_another_format_stops_the_night() -> None:
    runtime = shop()
    runtime.catalog.put("products.jsonl", b"id;title\n" + b"p0;Lumen\n" * 9)
    with pytest.raises(FeedBroken, match="mend it"):
        compare.work(runtime, "night")
    assert len(live(runtime)) == 10


def test_the_index_of_other_models_beside_takes_the_same_feed_at_once() -> None:
    """Both comparisons of a night begin together; the second finds the feed taken and its pictures
    all the same."""
    runtime = shop()
    feed(runtime, TITLES | {"p0": "Deluxe"})
    other = runtime.with_models({"vlm": OTHER_MODEL})
    night, beside = compare.work(runtime, "night"), compare.work(other, "night")
    assert (night.counts["product_changed"], night.counts["products_changed"]) == (1, 1)
    assert (beside.counts["added"], beside.counts["products_changed"]) == (10, 0)


@pytest.mark.parametrize(
    "catalog",
    [
        {"bucket": "new-catalog"},
        {"prefix": "images/", "product_pattern": "^images/([^/]+)/"},
        {"bucket": "new-catalog", "prefix": "images/", "product_pattern": "^images/([^/]+)/"},
    ],
)
def test_a_catalog_that_moved_takes_the_place_of_the_old_one(catalog: dict[str, Any]) -> None:
    """Its bucket or its prefix: what lay there before goes once a person has said so, and the next
    night is quiet. The old objects may lie there yet, and some have the same keys."""
    old = shop()
    new = moved(old, **catalog)
    if new.settings.catalog.bucket == "catalog":
        new = new.having(catalog=old.catalog)
    feed(new, TITLES)
    folder = new.settings.catalog.prefix
    new.catalog.put(f"{folder}p0/a.jpg", picture("red"))
    new.catalog.put(f"{folder}p1/a.jpg", picture("blue"))
    with pytest.raises(
        TooManyRemovals, match=f"10 of 10 pictures are gone from s3://{new.catalog.bucket}/{folder}"
    ):
        compare.work(new, "night")
    report = compare.work(new, "by hand", approve_removals=10)
    assert (report.counts["added"], report.counts["removed"]) == (2, 10)
    for batch in report.batches:
        index_batch(new, batch)
    assert live(new) == {(new.catalog.bucket, f"{folder}p{number}/a.jpg") for number in (0, 1)}
    later = compare.work(new, "next night")
    assert (later.batches, later.counts["unchanged"]) == ((), 2)


def test_a_move_that_is_taken_back_costs_what_it_removed() -> None:
    """A plan that was made before removes what it says, and the next comparison brings it back."""
    old = shop(removed_at_least=100)
    new = moved(old, bucket="new-catalog", removed_at_least=100)
    feed(new, TITLES)
    new.catalog.put("pictures/p0/a.jpg", picture("red"))
    added, removed = compare.work(new, "move").batches
    assert (
        len(read_manifest(new.work, added).keys),
        len(read_manifest(new.work, removed).moved),
    ) == (1, 10)
    (shard,) = plan.work(old, removed).shards
    do(old, shard, *INDEX)
    assert live(old) == set()
    index(old, "back")
    assert live(old) == {("catalog", f"pictures/{name}/a.jpg") for name in TITLES}


def test_pictures_of_the_old_bucket_that_wait_for_a_product_wait_no_more() -> None:
    old = shop()
    old.catalog.put("pictures/none/a.jpg", picture("red"))
    index(old, "second")
    new = moved(old, bucket="new-catalog", removed_at_least=100)
    feed(new, TITLES)
    new.catalog.put("pictures/p0/a.jpg", picture("red"))
    index(new, "move")
    target = new.target().target_id
    assert [one.key for batch in new.ledger.known(target) for one in batch] == ["pictures/p0/a.jpg"]


def test_a_picture_whose_product_comes_while_it_is_planned_does_not_wait() -> None:
    """The feed was taken between the plan's look at the products and its note that the picture
    waits: whoever took it found no picture that waits."""
    runtime = shop()
    runtime.catalog.put("pictures/new/a.jpg", picture("blue"))
    (batch,) = compare.work(runtime, "night").batches
    ledger, asked = runtime.ledger, list[str]()

    class Late:
        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

        def products(self, ids: Any) -> dict[Any, Product]:
            found = ledger.products(ids)
            if not asked:
                asked.append("once")
                feed(runtime, TITLES | {"new": "New"})
                compare.work(runtime, "meanwhile")
            return found

    late = moved(runtime)
    late = late.having(catalog=runtime.catalog, ledger=Late())
    report = plan.work(late, BatchId(batch))
    assert report.counts == {"added": 1}
    (shard,) = report.shards
    do(runtime, shard, *INDEX)
    assert ("catalog", "pictures/new/a.jpg") in live(runtime)
