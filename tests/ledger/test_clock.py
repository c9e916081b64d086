"""A clock that was ahead and is set right again: nothing is lost, and nobody waits for the moment
it showed."""

from datetime import datetime, timedelta, tzinfo

import pytest

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.stages.index import plan
from mmsearch_core.wiring.batches import Runtime
from tests.line import fake_runtime, feed, index, picture

KEYS = ("pictures/p1/1.jpg", "pictures/p1/2.jpg")


class NextYear(datetime):
    """A clock that is ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "NextYear":
        return super().now(tz) + timedelta(days=365)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Two pictures, indexed by the clock that was ahead."""
    runtime = fake_runtime()
    feed(runtime, {"p1": "Lumen 1"})
    for key in KEYS:
        runtime.catalog.put(key, picture("red"))
    with monkeypatch.context() as ahead:
        ahead.setattr(plan, "datetime", NextYear)
        index(runtime, "ahead")
    assert set(indexed(runtime)) == set(KEYS)
    return runtime


def indexed(runtime: Runtime) -> dict[str, str]:
    """The live versions by key; every row is of one of them."""
    target = runtime.target()
    rows = {(asset, build) for _, asset, build in runtime.index.builds(target.collection)}
    known = runtime.ledger.look_up(target.target_id, [asset for asset, _ in rows]).values()
    assert rows == {(one.asset_id, one.live_build) for one in known}
    return {one.key: one.source_version for one in known}


def test_what_changes_afterwards_is_newer(shop: Runtime) -> None:
    before = indexed(shop)
    shop.catalog.put(KEYS[0], picture("blue"))
    shop.catalog.delete(KEYS[1])
    (report,) = index(shop, "set right")
    assert (report.assets["live"], report.assets["removed"]) == (1, 1)
    after = indexed(shop)
    assert set(after) == {KEYS[0]}
    assert after[KEYS[0]] != before[KEYS[0]]
    assert index(shop, "nothing changed") == []


def test_a_lease_that_ends_next_year_holds_nobody(database: str) -> None:
    first = SqlLedger(database).take_lease(
        "x", holder="ahead", seconds=timedelta(days=365).total_seconds()
    )
    assert SqlLedger(database).take_lease("x", holder="next", seconds=60) > first
