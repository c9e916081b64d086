"""await_index: results are made from a whole index, or say that it was none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mmsearch_core.errors import BadSettings, IndexIncomplete, StageMissing
from mmsearch_core.shards.shard import read_plan
from mmsearch_core.stages.search import await_index
from mmsearch_core.wiring.batches import Runtime
from tasks import await_index as await_index_task
from tasks import compare, drain, mine, select
from tests.line import ask, fake_runtime, feed, index, index_batch, picture

LONG_AGO = datetime.now(UTC) - timedelta(hours=12)


@pytest.fixture
def shop() -> Runtime:
    """Three pictures that are indexed, in batches of one picture."""
    runtime = fake_runtime(shards={"size": 1, "most": 1})
    feed(runtime, {"p1": "Lumen 1"})
    for number in range(3):
        runtime.catalog.put(f"pictures/p1/{number}.jpg", picture("red", shade=number))
    index(runtime, "first")
    ask(runtime, ("red dress", "en"))
    return runtime


def awaited(runtime: Runtime, since: datetime | None = None, **options: Any) -> bool:
    """Whether the index was incomplete in the end."""
    report = await_index.run(
        since=since or datetime.now(UTC),
        ledger=runtime.ledger,
        settings=runtime.settings.search,
        **options,
    )
    return bool(report.incomplete)


def never(_: float) -> None:
    raise AssertionError("there was nothing to wait for")


def test_a_whole_index_is_not_waited_for(shop: Runtime) -> None:
    """Events, backfills and second tries that are under way make it no less whole."""
    shop.ledger.open_batch(
        select_one(shop), target=shop.target().target_id, source="drain of tonight"
    )
    assert not awaited(shop, sleep=never)
    assert not await_index_task.work(shop, "").incomplete
    assert not read_plan(shop.work, mine.work(shop, "night").batch).incomplete


def select_one(shop: Runtime) -> Any:
    request = '{"run": "backfill by hand", "prefix": "p1/0"}'
    return select.work(shop, request).batches[0]


def test_the_batches_of_tonights_comparison_are_waited_for(shop: Runtime) -> None:
    shop.catalog.put("pictures/p1/0.jpg", picture("green"))
    shop.catalog.put("pictures/p1/1.jpg", picture("green"))
    left = list(compare.work(shop, "night").batches)
    assert len(left) == 2

    def indexed_meanwhile(_: float) -> None:
        index_batch(shop, left.pop())

    assert not awaited(shop, sleep=indexed_meanwhile)
    assert left == []


def test_a_collection_that_is_built_again_is_no_whole_index(shop: Runtime) -> None:
    """From the moment on at which its loss is noticed, though the comparison dies at once, until
    all of it is there."""
    shop.index.drop(shop.target().collection)
    shop.build_target()
    assert awaited(shop, LONG_AGO, sleep=never)
    batches = compare.work(shop, "night").batches
    index_batch(shop, batches[0])
    assert awaited(shop, LONG_AGO, sleep=never)
    assert read_plan(shop.work, mine.work(shop, "half of it").batch).incomplete
    for batch in batches[1:]:
        index_batch(shop, batch)
    assert not awaited(shop, sleep=never)
    assert not read_plan(shop.work, mine.work(shop, "all of it").batch).incomplete


def test_a_try_ends_before_its_scheduler_ends_it_and_the_deadline_is_the_runs(
    shop: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.catalog.put("pictures/p1/0.jpg", picture("green"))
    compare.work(shop, "night")
    monkeypatch.setattr(await_index, "TRY_SECONDS", 0)
    with pytest.raises(IndexIncomplete, match="1 batches of the index are not done"):
        awaited(shop, sleep=never)
    assert awaited(shop, LONG_AGO, sleep=never)
    ahead = datetime.now(UTC) + timedelta(days=365)  # by a clock that was set right since
    with pytest.raises(IndexIncomplete):
        awaited(shop, ahead, sleep=never)


def test_what_nobody_has_come_for_since_yesterday_is_said_and_not_waited_for(shop: Runtime) -> None:
    shop.catalog.put("pictures/p1/0.jpg", picture("green"))
    compare.work(shop, "night")
    tomorrow = await_index.run(
        since=datetime.now(UTC),
        ledger=Aged(shop.ledger),
        settings=shop.settings.search,
        sleep=never,
    )
    assert tomorrow.incomplete


def test_the_first_index_is_waited_for_and_without_any_a_person_is_told() -> None:
    runtime = fake_runtime()
    with pytest.raises(StageMissing, match="run catalog_refresh first"):
        awaited(runtime, sleep=never)
    feed(runtime, {"p1": "Lumen 1"})
    runtime.catalog.put("pictures/p1/1.jpg", picture("red"))
    (batch,) = compare.work(runtime, "night").batches
    with pytest.raises(StageMissing, match="look at their runs"):
        awaited(runtime, LONG_AGO, sleep=never)
    assert not awaited(runtime, sleep=lambda _: index_batch(runtime, batch) and None)


def test_a_moment_is_read_as_airflow_writes_it() -> None:
    moment = datetime(2026, 11, 23, 4, tzinfo=UTC)
    assert await_index.read_moment("2026-11-23 04:00:00+00:00") == moment
    assert await_index.read_moment("2026-11-23T04:00:00") == moment
    assert await_index.read_moment("None") <= datetime.now(UTC)
    with pytest.raises(BadSettings, match="--since 'tonight' is no moment"):
        await_index.read_moment("tonight")


def test_messages_wait_for_the_first_comparison() -> None:
    """Nothing is handed out that would find no index, and nothing is deleted."""
    runtime = fake_runtime()
    runtime.changes.send("a picture")  # type: ignore[attr-defined]
    assert drain.work(runtime, "run").batches == ()
    assert runtime.changes.waiting() == 1


class Aged:
    """A ledger two days later."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def unfinished_batches(self, target: Any) -> list[Any]:
        found = self._ledger.unfinished_batches(target)
        return [replace(batch, opened_at=batch.opened_at - timedelta(days=2)) for batch in found]
