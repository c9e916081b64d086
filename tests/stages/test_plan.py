"""plan: which objects are looked at, what is frozen, and how it is cut."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mmsearch_core.catalog.manifest import Manifest
from mmsearch_core.codec import to_json
from mmsearch_core.errors import StageMissing
from mmsearch_core.layout import PACE, manifest_key, plan_key
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.records.ids import BatchId
from mmsearch_core.shards.pace import Pace
from mmsearch_core.shards.shard import read_plan
from mmsearch_core.stages.index import close as closing
from mmsearch_core.stages.index import plan as stage
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import close, compare, plan
from tests.line import (
    INDEX,
    at_another_milvus,
    do,
    fake_runtime,
    feed,
    index,
    index_batch,
    picture,
    with_knobs,
)

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
A, B = "pictures/p1/a.jpg", "pictures/p1/b.jpg"


class Counting(MemoryStore):
    """A bucket that counts how often somebody looks at an object."""

    looks = 0

    def head(self, key: str) -> ObjectRef | None:
        self.looks += 1
        return super().head(key)


class Folding(Counting):
    """A store that reads keys as paths, as SeaweedFS does: `a//b` and `a/b` name one object, which
    is listed once."""

    def head(self, key: str) -> ObjectRef | None:
        found = super().head(folded(key))
        return replace(found, key=key) if found else None

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        return super().get(folded(key), if_match=if_match)

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        return super().put(folded(key), data, if_none_match=if_none_match, if_match=if_match)


def folded(key: str) -> str:
    return re.sub(r"[/\\]+", "/", key).lstrip("/")


def shop_on(store: MemoryStore, **knobs: Any) -> Runtime:
    """A product with a picture in this bucket, indexed."""
    runtime = fake_runtime(**knobs)
    runtime = runtime.having(catalog=store, query_log=store)
    feed(runtime, {"p1": "Lumen 1"})
    store.put(A, picture("red"))
    index(runtime, "first night")
    return runtime


def hint(runtime: Runtime, batch: str, *keys: str, listed: tuple[str, ...] = ()) -> str:
    manifest = Manifest(batch=BatchId(batch), source="events", keys=keys, listed=listed)
    runtime.work.put(manifest_key(batch), to_json(manifest))
    return batch


def rows(runtime: Runtime) -> int:
    return len(list(runtime.index.builds(runtime.target().collection)))


def test_nothing_is_looked_at_for_a_batch_that_a_later_comparison_took_over() -> None:
    """It ends well and changes nothing; what it was asked to do is in the later one."""
    store = Counting("catalog")
    shop = shop_on(store)
    store.put(B, picture("blue"))
    (old,) = compare.work(shop, "second night").batches
    store.put("pictures/p1/c.jpg", picture("green"))
    (new,) = compare.work(shop, "third night").batches
    looks = store.looks
    report = plan.work(shop, old)
    assert (report.shards, report.superseded, store.looks) == ((), True, looks)
    assert close.work(shop, old).superseded
    assert shop.ledger.batch_status(BatchId(old)) == "superseded"
    assert index_batch(shop, new).assets["live"] == 2


def test_a_batch_that_is_taken_over_while_it_is_done_ends_well() -> None:
    shop = shop_on(MemoryStore("catalog"))
    shop.catalog.put(B, picture("blue"))
    (old,) = compare.work(shop, "second night").batches
    (shard,) = plan.work(shop, old).shards
    do(shop, shard, "decode")
    (new,) = compare.work(shop, "third night").batches
    do(shop, shard, *INDEX)
    assert close.work(shop, old).superseded
    assert index_batch(shop, new).plan == {"unchanged": 1}


def test_a_plan_is_kept_for_the_same_task_and_made_anew_for_another() -> None:
    shop = shop_on(MemoryStore("catalog"))
    shop.catalog.put(B, picture("blue"))
    first = plan.work(shop, hint(shop, "hint", B))
    frozen = read_plan(shop.work, "hint")
    shop.catalog.put(A, picture("green"))
    assert plan.work(shop, "hint") == first
    assert read_plan(shop.work, "hint") == frozen
    assert plan.work(shop, hint(shop, "hint", A, B)).counts == {"added": 1, "changed": 1}


def test_a_plan_of_an_older_version_stops_its_stages_and_is_made_again() -> None:
    """An upgrade in the middle of a night: recipes went by stage only."""
    shop = shop_on(MemoryStore("catalog"))
    shop.catalog.put(B, picture("blue"))
    (shard,) = plan.work(shop, hint(shop, "hint", B)).shards
    older = json.loads(shop.work.get(plan_key("hint")) or b"")
    older["recipes"] = older["recipes"]["picture"]
    shop.work.put(plan_key("hint"), json.dumps(older).encode())
    with pytest.raises(StageMissing, match="another version of mmsearch: clear the run"):
        do(shop, shard, "decode")
    assert plan.work(shop, "hint").shards == (shard,)
    do(shop, shard, *INDEX)
    assert close.work(shop, "hint").assets["live"] == 1


def test_the_stages_of_a_batch_stop_where_their_collection_is_not_the_planned_one() -> None:
    shop = shop_on(MemoryStore("catalog"))
    shop.catalog.put(B, picture("blue"))
    (batch,) = compare.work(shop, "second night").batches
    (shard,) = plan.work(shop, batch).shards
    do(shop, shard, *INDEX[:-1])
    wrong = at_another_milvus(shop)
    for work in (lambda: do(wrong, shard, "upsert"), lambda: close.work(wrong, batch)):
        with pytest.raises(StageMissing, match=r"is missing from .*correct index\.uri"):
            work()
    shop.index.drop(shop.target().collection)
    shop.build_target()
    for work in (lambda: do(shop, shard, "upsert"), lambda: close.work(shop, batch)):
        with pytest.raises(StageMissing, match="made anew after batch"):
            work()


@pytest.mark.parametrize("name", ["pictures/p1//a.jpg", "pictures//p1/a.jpg", "pictures/p1\\a.jpg"])
def test_another_name_of_an_object_is_no_object(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row, though the store answers by both names; a row that was made by the other name goes
    with a comparison."""
    store = Folding("catalog")
    pattern = {"product_pattern": r"^pictures[/\\]+([^/\\]+)[/\\]"}
    shop = shop_on(store, catalog=pattern)
    assert index_batch(shop, hint(shop, "event", name)).plan == {"gone_before_indexed": 1}
    assert rows(shop) == 1
    with monkeypatch.context() as older:
        older.setattr(closing, "look", lambda catalog, key: catalog.head(key))
        index_batch(shop, hint(shop, "older version", name, listed=(name,)))
    assert rows(shop) == 2
    (report,) = index(shop, "second night")
    assert report.assets["removed"] == 1
    assert (rows(shop), index(shop, "third night")) == (1, [])


def test_two_objects_that_look_alike_to_the_second_are_both_indexed() -> None:
    """Equal bytes, written in the same second under `a//b` and `a/b`, where both are listed."""

    class ToTheSecond(MemoryStore):
        def list(self, prefix: str = "") -> Iterator[ObjectRef]:
            yield from (replace(found, last_modified=NOON) for found in super().list(prefix))

        def head(self, key: str) -> ObjectRef | None:
            found = super().head(key)
            return replace(found, last_modified=NOON) if found else None

    shop = shop_on(ToTheSecond("catalog"))
    for name in ("pictures/p1/x//a.jpg", "pictures/p1/x/a.jpg"):
        shop.catalog.put(name, picture("red"))
    (report,) = index(shop, "second night")
    assert report.assets["live"] == 2
    assert index(shop, "third night") == []


def test_where_odd_names_are_objects_of_their_own_they_are_indexed() -> None:
    """As in S3 itself, also if both hold the same bytes."""
    shop = shop_on(MemoryStore("catalog"))
    for name in ("pictures/p1//a.jpg", "pictures/p1/x\\a.jpg", "pictures/p1/./a.jpg"):
        shop.catalog.put(name, picture("red"))
    (report,) = index(shop, "second night")
    assert report.assets["live"] == 3
    assert index(shop, "third night") == []
    shop.catalog.put("pictures/p1//b.jpg", picture("blue"))
    assert index_batch(shop, hint(shop, "event", "pictures/p1//b.jpg")).assets["live"] == 1
    shop.catalog.delete("pictures/p1//a.jpg")
    assert index_batch(shop, hint(shop, "gone", "pictures/p1//a.jpg")).assets["removed"] == 1
    assert index(shop, "fourth night") == []


def test_a_shard_holds_one_kind_of_asset_and_what_takes_some_minutes() -> None:
    shop = shop_on(MemoryStore("catalog"))
    slow = Pace(
        seconds={"picture": {"decode": 0.1, "describe": 9.0}, "document": {"describe": 1_000.0}}
    )
    shop.work.put(PACE, to_json(slow))
    for number in range(55):
        shop.catalog.put(f"pictures/p1/{number}.jpg", picture("red"))
    for number in range(15):
        shop.catalog.put(f"pictures/p1/{number}.pdf", b"%PDF")
    (batch,) = compare.work(shop, "second night").batches
    plan.work(shop, batch)
    frozen = read_plan(shop.work, batch)
    assert sorted((frozen.shard_kinds[path], number) for path, number in frozen.shards.items()) == [
        ("document", 7),
        ("document", 8),
        ("picture", 27),
        ("picture", 28),
    ]


def test_a_few_pictures_are_one_shard_and_no_number_of_keys_makes_more_shards_than_airflow_maps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = shop_on(MemoryStore("catalog"))
    for number in range(40):
        shop.catalog.put(f"pictures/p1/{number}.jpg", picture("red"))
    (batch,) = compare.work(shop, "second night").batches
    assert len(plan.work(shop, batch).shards) == 1
    monkeypatch.setattr(stage, "MOST_SHARDS", 5)
    one_each = with_knobs(shop, shards={"size": 1})
    assert (
        len(
            plan.work(
                one_each, hint(one_each, "many", *(f"pictures/p1/{n}.jpg" for n in range(40)))
            ).shards
        )
        == 5
    )
