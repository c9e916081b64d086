"""rollback, hold, release: a person goes back, and nothing is published until they say so."""

import json
from typing import Any

import pytest

from mmsearch_core.errors import BadSettings, StageMissing, StopEverything, TryLater
from mmsearch_core.layout import CURRENT
from mmsearch_core.serving.generation import read_current, read_generation
from mmsearch_core.stages.search import rollback
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import gates, publish
from tasks import rollback as task
from tests.nights import QUERIES, Interrupted, current, judged, night, products, shop


@pytest.fixture
def three_nights() -> Runtime:
    """Each night has one query less than the night before."""
    runtime = shop()
    for number in range(3):
        night(runtime, f"night {number}", QUERIES[: 16 - number])
    return runtime


def request(run: str = "run", **fields: Any) -> str:
    return json.dumps({"run": run, **fields})


def parent(runtime: Runtime, name: str | None = None) -> str:
    found = read_generation(runtime.work, name or current(runtime)).parent  # type: ignore[arg-type]
    assert found
    return found


def test_going_back_holds_the_results_until_they_are_released(three_nights: Runtime) -> None:
    newest, second = current(three_nights), parent(three_nights)
    assert products(three_nights, QUERIES[14]) is None
    report = task.work(three_nights, request())
    assert (report.before, report.generation) == (newest, second)
    assert current(three_nights) == second
    assert products(three_nights, QUERIES[14])
    batch = judged(three_nights, "next", QUERIES[:13])
    for stage in (gates, publish):
        with pytest.raises(StopEverything, match=r"on hold at generation .*mmsearch release"):
            stage.work(three_nights, batch)
    assert not rollback.release(three_nights.work).hold
    assert publish.work(three_nights, batch).published
    assert parent(three_nights) == second


def test_a_run_that_is_tried_again_goes_no_further_back(three_nights: Runtime) -> None:
    first = task.work(three_nights, request())
    assert task.work(three_nights, request()) == first
    assert task.work(three_nights, request("another run")).generation == parent(
        three_nights, first.generation
    )
    with pytest.raises(StopEverything, match="became current meanwhile"):
        task.work(three_nights, request())


def test_any_whole_generation_may_be_named_also_a_newer_one(three_nights: Runtime) -> None:
    newest = current(three_nights)
    oldest = parent(three_nights, parent(three_nights))
    assert task.work(three_nights, request("a", generation=oldest)).generation == oldest
    with pytest.raises(StageMissing, match=rf"is the first generation.* There are .*{newest}"):
        task.work(three_nights, request("b"))
    assert task.work(three_nights, request("c", generation=newest)).generation == newest


def test_a_generation_that_is_not_there_or_not_whole_is_not_gone_to(three_nights: Runtime) -> None:
    before = current(three_nights)
    with pytest.raises(StageMissing, match=rf"no generation nonsense. There are .*{before}"):
        task.work(three_nights, request("a", generation="nonsense"))
    second = read_generation(three_nights.work, parent(three_nights))  # type: ignore[arg-type]
    three_nights.work.delete(next(iter(second.buckets.values())))
    with pytest.raises(StageMissing, match="has lost 1 of its files"):
        task.work(three_nights, request("b"))
    assert current(three_nights) == before


@pytest.mark.parametrize("change", [rollback.hold, rollback.release])
def test_before_the_first_publication_there_is_nothing_to_hold(change: Any) -> None:
    with pytest.raises(StageMissing, match="Nothing is published yet"):
        change(MemoryStore())


def test_a_hold_stops_a_publisher_that_has_begun(three_nights: Runtime) -> None:
    """The pointer changes under it, and what it reads then is on hold."""
    before = current(three_nights)
    batch = judged(three_nights, "next", QUERIES[:13])
    store = Interrupted(three_nights.work, lambda: rollback.hold(three_nights.work))
    three_nights = three_nights.having(work=store)
    with pytest.raises(StopEverything, match="on hold"):
        publish.work(three_nights, batch)
    assert current(three_nights) == before


def test_holding_twice_writes_once_and_a_restless_pointer_is_given_up(
    three_nights: Runtime,
) -> None:
    work = three_nights.work
    assert isinstance(work, MemoryStore)
    rollback.hold(work)
    writes = work.writes
    rollback.hold(work)
    assert work.writes == writes
    pointer, moves = work.get(CURRENT) or b"", iter(range(1, 1_000))
    restless = Interrupted(
        work, lambda: work.put(CURRENT, pointer + b" " * next(moves)), times=1_000
    )
    with pytest.raises(TryLater, match="3 times"):
        rollback.release(restless)
    held = read_current(work)
    assert held
    assert held.hold


def test_a_wrong_form_is_told_in_one_sentence(three_nights: Runtime) -> None:
    with pytest.raises(BadSettings, match="generation is wrong"):
        task.work(three_nights, request(generation=7))
