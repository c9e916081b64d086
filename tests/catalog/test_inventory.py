"""Comparing by an S3 Inventory: the same answer as by listing, and nothing removed for a report's
sake."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mmsearch_core.errors import BadSettings, ListingBroken, TooManyRemovals
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import compare
from tests import inventory
from tests.line import fake_runtime, feed, index, index_batch, picture

FORMATS = {"CSV": inventory.csv_file, "Parquet": inventory.parquet_file}
HARD = (
    "a b.jpg",
    "a+b.jpg",
    "a%20b.jpg",
    "红色.jpg",
    'quo"te,comma.jpg',
    "d/e/f.jpg",
    "d/e!f.jpg",
    "d/e-f.jpg",
)


@pytest.fixture(params=FORMATS)
def file_format(request: pytest.FixtureRequest) -> str:
    """The formats that are read."""
    return str(request.param)


def shop(names: tuple[str, ...] = HARD, **catalog: Any) -> Runtime:
    """Pictures of one product, compared by an inventory."""
    runtime = fake_runtime(catalog={"inventory": "s3://reports/catalog/all/", **catalog})
    runtime = runtime.having(inventory=MemoryStore("reports"))
    feed(runtime, {"p": "Lumen"})
    for number, name in enumerate(names):
        runtime.catalog.put(f"pictures/p/{name}", picture("red", shade=number))
    return runtime


def report(runtime: Runtime, file_format: str = "CSV", *, hours: float = 0, **options: Any) -> str:
    """What S3 would write of the bucket now, in two files; returns the manifest's key."""
    entries = [(found.key, found.size, found.etag, True, False) for found in runtime.catalog.list()]
    entries += options.get("more", [])
    files = [FORMATS[file_format]("catalog", half) for half in (entries[::2], entries[1::2])]
    created = datetime.now(UTC) + timedelta(hours=hours)
    folder = f"catalog/all/{created:%Y-%m-%dT%H-%MZ}"
    assert runtime.stores.inventory is not None
    return inventory.write(
        runtime.stores.inventory,
        folder,
        files,
        bucket="catalog",
        created=created,
        file_format=file_format,
    )


def test_an_inventory_says_what_a_listing_says(file_format: str) -> None:
    """Keys that need encoding, keys in no order, objects outside the prefix."""
    runtime = shop()
    report(runtime, file_format)
    assert index(runtime)[0].assets["live"] == len(HARD)
    runtime = runtime.having(settings=fake_runtime().settings)  # from now on by listing
    assert compare.work(runtime, "listed").counts["unchanged"] == len(HARD)


def test_old_versions_and_deletions_are_not_there(file_format: str) -> None:
    """A versioned bucket's inventory has a line a version."""
    runtime = shop()
    old = ("pictures/p/d/e/f.jpg", 7, "0" * 32, False, False)
    gone, before = (
        ("pictures/p/gone.jpg", 0, "", True, True),
        ("pictures/p/gone.jpg", 7, "0" * 32, False, False),
    )
    report(runtime, file_format, more=[old, gone, before])
    assert compare.work(runtime, "run").counts["added"] == len(HARD)


def test_the_newest_whole_report_is_taken_and_what_changed_is_found(file_format: str) -> None:
    """One whose checksum has not come yet is still being written."""
    runtime = shop()
    report(runtime, file_format)
    index(runtime)
    runtime.catalog.put("pictures/p/a b.jpg", picture("blue"))
    runtime.catalog.delete("pictures/p/a+b.jpg")
    report(runtime, file_format, hours=1)
    unfinished = report(runtime, file_format, hours=2)
    assert runtime.stores.inventory is not None
    runtime.stores.inventory.delete(unfinished.replace(".json", ".checksum"))
    counts = compare.work(runtime, "run-2").counts
    assert {name: counts[name] for name in ("added", "changed", "removed", "unchanged")} == {
        "added": 0,
        "changed": 1,
        "removed": 1,
        "unchanged": len(HARD) - 2,
    }


def test_what_the_ledger_saw_after_the_inventory_is_left_alone() -> None:
    """Events bring pictures in during the day; the inventory of the morning does not know them."""
    runtime = shop(HARD[:2])
    report(runtime, hours=-6)
    index(runtime)
    old = report(runtime, hours=-5)
    runtime = runtime.having(settings=fake_runtime().settings)
    runtime.catalog.put("pictures/p/new.jpg", picture("blue"))
    runtime.catalog.put(f"pictures/p/{HARD[0]}", picture("green"))
    index(runtime, "by-listing")
    runtime = runtime.having(settings=shop(inventory=f"s3://reports/{old}").settings)
    assert compare.work(runtime, "by-inventory").batches == ()


@pytest.mark.parametrize("part", ["manifest.json", "data", "cut", "lost"])
def test_a_broken_report_stops_the_run_and_removes_nothing(file_format: str, part: str) -> None:
    runtime = shop()
    key = report(runtime, file_format)
    store = runtime.stores.inventory
    assert store is not None
    data_file = next(found.key for found in store.list("catalog/all/data/"))
    if part == "manifest.json":
        store.put(key, (store.get(key) or b"").replace(b"sourceBucket", b"sauceBucket"))
    elif part == "data":
        store.put(data_file, b"not what S3 wrote")
    elif part == "cut":
        store.put(data_file, (store.get(data_file) or b"")[:-20])
    else:
        store.delete(data_file)
    with pytest.raises(ListingBroken):
        compare.work(runtime, "run")
    assert runtime.ledger.open_batches(runtime.target().target_id) == 0


def test_an_older_report_than_the_last_is_refused_and_the_same_one_is_not() -> None:
    runtime = shop()
    older = report(runtime, hours=-3)
    report(runtime)
    for run in ("one", "two"):
        compare.work(runtime, run)
    runtime = runtime.having(settings=shop(inventory=f"s3://reports/{older}").settings)
    with pytest.raises(ListingBroken, match="older than"):
        compare.work(runtime, "three")


def test_a_report_of_another_bucket_or_of_none_names_the_setting() -> None:
    runtime = shop()
    with pytest.raises(BadSettings, match=r"catalog\.inventory"):
        compare.work(runtime, "run")
    assert runtime.stores.inventory is not None
    inventory.write(
        runtime.stores.inventory,
        "catalog/all/2026-11-22T01-00Z",
        [],
        bucket="x",
        created=datetime.now(UTC),
    )
    with pytest.raises(BadSettings, match=r"of bucket x, not catalog.*catalog\.inventory"):
        compare.work(runtime, "run")


def test_many_removals_wait_for_approval() -> None:
    """The sentence names the number to approve; fewer than that are not enough."""
    names = tuple(f"{number}.jpg" for number in range(10))
    runtime = shop(names, inventory=None, removed_at_least=2)
    index(runtime)
    for name in names[:3]:
        runtime.catalog.delete(f"pictures/p/{name}")
    for approved in (0, 2):
        with pytest.raises(TooManyRemovals, match=r"3 of 10 .*20%.*approve_removals=3"):
            compare.work(runtime, "run", approve_removals=approved)
    assert runtime.ledger.open_batches(runtime.target().target_id) == 0
    (batch,) = compare.work(runtime, "run", approve_removals=3).batches
    assert index_batch(runtime, batch).assets["removed"] == 3


def test_an_emptied_bucket_removes_nothing_by_itself() -> None:
    """Also where there is little to lose: ``removed_at_least`` is all there is."""
    names = tuple(f"{number}.jpg" for number in range(101))
    runtime = shop(names, inventory=None)
    index(runtime)
    for name in names:
        runtime.catalog.delete(f"pictures/p/{name}")
    with pytest.raises(TooManyRemovals, match="101 of 101"):
        compare.work(runtime, "run")
