"""Who works on a shard, and what is remembered of those who died."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import (
    BadRecord,
    Busy,
    EngineBroke,
    StageMissing,
    StoreAway,
    TooManyFailures,
    UnreadableMedia,
)
from mmsearch_core.parquet import dump
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.report import Failure
from mmsearch_core.settings import Shards
from mmsearch_core.shards.lease import LeaseNote, ShardLease
from mmsearch_core.shards.loop import run_stage
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.testing.memory_store import MemoryStore
from tests.test_codec import NOW

KEY = "runs/b/shards/00000/leases/describe.json"
RECIPE = Recipe(stage="describe", version=1, settings={})
SHARDS = Shards(lease_seconds=0.2)


@pytest.fixture
def store() -> MemoryStore:
    """A planned shard of five items; an item is a Failure record, which is as good as any."""
    store = MemoryStore()
    items = [Failure(record_id=str(number), stage="", kind="", message="") for number in range(5)]
    store.put("runs/b/shards/00000/changes.parquet", dump(items, Failure))
    plan = Plan(
        batch="b",  # type: ignore[arg-type]
        line="index",
        target_id="t",  # type: ignore[arg-type]
        collection="c",
        made_at=NOW,
        commit=0,
        recipes={"picture": {"describe": RECIPE.recipe_id}},
        shards={"runs/b/shards/00000": 5},
        shard_kinds={"runs/b/shards/00000": "picture"},
        counts={},
        versions={},
    )
    store.put("runs/b/plan.json", to_json(plan))
    return store


def stage(poison: str = "") -> Stage[Any]:
    """Copies its items; dies on the poisoned one, as a process does: without giving the lease
    back."""

    def work(items: Sequence[Failure], _: ShardRun) -> list[Outcome]:
        if any(item.record_id == poison for item in items):
            raise KeyboardInterrupt
        return [[item] for item in items]

    return Stage(
        name="describe",
        recipes={"picture": RECIPE},
        reads={"changes": "plan"},
        writes={"copies": Failure},
        items=lambda shard, _: shard.read("changes", Failure),
        id_of=lambda item: item.record_id,
        work=work,
        batch=10,
    )


def die(store: MemoryStore, poison: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt that is killed."""
    with monkeypatch.context() as patch:
        patch.setattr(ShardLease, "__exit__", lambda lease, *_: lease._left.set())
        with pytest.raises(KeyboardInterrupt):
            run_stage(stage(poison), "runs/b/shards/00000", store=store, settings=SHARDS)
    time.sleep(0.25)


def test_one_works_at_a_time(store: MemoryStore) -> None:
    """A second waits, and is told whom it waited for."""
    with ShardLease(store, KEY, seconds=0.3), pytest.raises(Busy, match="Another process"):
        ShardLease(store, KEY, seconds=0.2).__enter__()
    with ShardLease(store, KEY, seconds=0.3):
        pass
    assert from_json(store.get(KEY) or b"", LeaseNote).holder == ""


def test_a_lease_is_renewed_while_work_goes_on(store: MemoryStore) -> None:
    """Longer than its seconds."""
    with ShardLease(store, KEY, seconds=0.2) as lease:
        time.sleep(0.5)
        lease.check()


def test_a_lease_that_was_taken_over_stops_its_holder(store: MemoryStore) -> None:
    """An orphan that wakes up writes nothing."""
    with ShardLease(store, KEY, seconds=5) as lease:
        store.put(KEY, to_json(LeaseNote(holder="other", expires=time.time() + 9)))
        with pytest.raises(Busy, match="taken over"):
            lease.check()
    assert store.head(KEY) is not None  # it is not ours to give back


def test_deaths_are_counted_and_the_culprit_is_quarantined(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two deaths, then one by one: the third names the record, the fourth attempt does all
    others."""
    for deaths in range(3):
        die(store, "3", monkeypatch)
        note = from_json(store.get(KEY) or b"", LeaseNote)
        assert note.deaths == deaths
    assert note.in_flight == "3"
    report, was_there = run_stage(stage("3"), "runs/b/shards/00000", store=store, settings=SHARDS)
    assert (report.read, report.done, report.failed, was_there) == (5, 4, 1, False)
    failure = Shard(store, "runs/b/shards/00000").failures("describe")[0]
    assert (failure.record_id, failure.kind) == ("3", "KilledTheWorker")


def test_a_report_of_other_inputs_is_not_trusted(store: MemoryStore) -> None:
    """Same recipe, other bytes: done again."""
    shard = "runs/b/shards/00000"
    run_stage(stage(), shard, store=store, settings=SHARDS)
    assert run_stage(stage(), shard, store=store, settings=SHARDS)[1]
    store.put(f"{shard}/changes.parquet", dump([], Failure))
    report, was_there = run_stage(stage(), shard, store=store, settings=SHARDS)
    assert (report.read, was_there) == (0, False)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"stage": "describe"}'])
def test_a_report_that_cannot_be_read_is_written_anew(store: MemoryStore, data: bytes) -> None:
    """Half an object, or one of another version: the stage counts as not done, and is done."""
    shard = "runs/b/shards/00000"
    store.put(f"{shard}/reports/describe.json", data)
    assert Shard(store, shard).report("describe") is None
    report, was_there = run_stage(stage(), shard, store=store, settings=SHARDS)
    assert (report.done, was_there) == (5, False)
    assert Shard(store, shard).report("describe") == report


def test_equal_runs_have_equal_reports_but_for_timing(store: MemoryStore) -> None:
    """What "equal" means."""
    shard, key = "runs/b/shards/00000", "runs/b/shards/00000/reports/describe.json"
    first, _ = run_stage(stage(), shard, store=store, settings=SHARDS)
    store.delete(key)
    second, _ = run_stage(stage(), shard, store=store, settings=SHARDS)
    fields = [name for name in first.__slots__ if name != "timing"]
    assert [getattr(first, name) for name in fields] == [getattr(second, name) for name in fields]


def dead(store: MemoryStore, touched: str = "", about: str = "") -> None:
    """An attempt that is killed, long ago: its note stays."""
    lease = ShardLease(store, KEY, seconds=30, about=about).__enter__()
    lease._left.set()
    if touched:
        lease.about_to_touch(touched)
    store.put(KEY, to_json(replace(lease.note, expires=1.0)))


def attempt(store: MemoryStore, end: BaseException, touched: str) -> None:
    """One that is ended by ``end``, in caution while it works on a record."""

    def work() -> None:
        with ShardLease(store, KEY, seconds=30) as lease:
            if lease.cautious:
                lease.about_to_touch(touched)
            raise end

    with pytest.raises(type(end)):
        work()


@pytest.mark.parametrize(
    "stopped_by", [StoreAway("away"), StageMissing("early"), ValueError("a bug")]
)
def test_an_attempt_that_is_stopped_by_something_else_forgets_no_death(
    stopped_by: Exception,
) -> None:
    """Else three more processes would die on the record that is known already, and Airflow tries
    four times."""
    store = MemoryStore()
    dead(store)
    dead(store)
    dead(store, "killer")
    attempt(store, stopped_by, touched="another")  # which is not to blame for what follows
    for expected in ((3, ("killer",)), (0, ())):  # done well at last, then done again from nothing
        with ShardLease(store, KEY, seconds=30) as lease:
            known = (lease.note.deaths, lease.note.quarantined)
        assert known == expected


@pytest.mark.parametrize("end", [EngineBroke("no memory"), SystemExit(143)])
def test_an_engine_that_broke_and_a_process_that_was_told_to_end_count_as_deaths(
    end: BaseException,
) -> None:
    """Whoever hangs on a record is ended by the scheduler's patience; the lease is given back at
    once."""
    store = MemoryStore()
    for _ in range(3):
        attempt(store, end, touched="culprit")
    with ShardLease(store, KEY, seconds=30) as lease:
        assert (lease.note.deaths, lease.note.quarantined) == (3, ("culprit",))


def test_deaths_on_other_work_do_not_count() -> None:
    """Other inputs, or another recipe."""
    store = MemoryStore()
    for _ in range(3):
        dead(store, "x", about="of yesterday")
    with ShardLease(store, KEY, seconds=30, about="of today") as lease:
        assert (lease.note.deaths, lease.note.quarantined) == (0, ())


def test_in_caution_a_good_item_comes_first_so_that_a_broken_engine_blames_nobody(
    store: MemoryStore,
) -> None:
    """An engine that breaks at whatever it is given; once it is well, every record is done."""
    broken = True

    def work(items: Sequence[Failure], _: ShardRun) -> list[Outcome]:
        if broken:
            raise EngineBroke("The GPU is gone.")
        return [[item] for item in items]

    def canary() -> None:
        work([], stage().new_run("picture"))

    broken_stage = replace(stage(), work=work, canary=canary)
    for _ in range(6):
        with pytest.raises(EngineBroke):
            run_stage(broken_stage, "runs/b/shards/00000", store=store, settings=SHARDS)
    broken = False
    report, _ = run_stage(broken_stage, "runs/b/shards/00000", store=store, settings=SHARDS)
    assert (report.done, report.failed) == (5, 0)


def test_a_record_that_breaks_its_engine_each_time_costs_itself(store: MemoryStore) -> None:
    """Found by the fourth attempt, which is the last that Airflow makes."""

    def work(items: Sequence[Failure], _: ShardRun) -> list[Outcome]:
        if any(item.record_id == "2" for item in items):
            raise EngineBroke("CUDA error: device-side assert triggered")
        return [[item] for item in items]

    breaks = replace(stage(), work=work, canary=lambda: None)
    for _ in range(3):
        with pytest.raises(EngineBroke):
            run_stage(breaks, "runs/b/shards/00000", store=store, settings=SHARDS)
    report, _ = run_stage(breaks, "runs/b/shards/00000", store=store, settings=SHARDS)
    assert (report.done, report.failed) == (4, 1)
    (failure,) = Shard(store, "runs/b/shards/00000").failures("describe")
    assert (failure.record_id, failure.kind) == ("2", "KilledTheWorker")


class Forgetful(MemoryStore):
    """Loses the answer of a conditional write that took effect, and tries again, as HTTP clients
    do."""

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        super().put(key, data, if_none_match=if_none_match, if_match=if_match)
        return super().put(key, data, if_none_match=if_none_match, if_match=if_match)


def test_a_lease_is_ours_though_the_answer_was_lost() -> None:
    """The second try of the same write is refused, by our own first: no reason to wait, to stop or
    to count a death."""
    store = Forgetful()
    with ShardLease(store, KEY, seconds=30) as lease:
        lease.check()
        lease.about_to_touch("x")
    with ShardLease(store, KEY, seconds=30) as lease:
        assert (lease.note.deaths, lease.note.in_flight) == (0, "")


def test_a_lease_that_ends_next_year_was_taken_by_a_clock_that_was_ahead(
    store: MemoryStore,
) -> None:
    """Nobody waits for a year."""
    store.put(KEY, to_json(LeaseNote(holder="ahead", expires=time.time() + 365 * 86_400)))
    with ShardLease(store, KEY, seconds=0.2) as lease:
        assert lease.note.deaths == 1


def test_a_lease_that_ran_out_is_not_given_back_over_its_next_holder(store: MemoryStore) -> None:
    """Deleting it would have let a third one in."""
    lease = ShardLease(store, KEY, seconds=5)
    with lease:
        other = to_json(LeaseNote(holder="other", expires=time.time() + 9))
        store.put(KEY, other)
    assert store.get(KEY) == other


ITEMS = [Failure(record_id=str(number), stage="", kind="", message="") for number in range(30)]


def failing(failed: int, canary: BadRecord | None, *, with_canary: bool = True) -> Stage[Any]:
    """Fails at the first so many of its thirty items."""
    base = stage()

    def work(items: Sequence[Failure], _: ShardRun) -> list[Outcome]:
        return [
            UnreadableMedia("It is damaged.") if int(item.record_id) < failed else [item]
            for item in items
        ]

    return replace(
        base, work=work, items=lambda *_: ITEMS, canary=(lambda: canary) if with_canary else None
    )


def test_a_budget_of_failures_is_borne_without_a_question(store: MemoryStore) -> None:
    """Ten, or a fifth."""
    report, _ = run_stage(
        failing(10, UnreadableMedia("broken")), "runs/b/shards/00000", store=store, settings=SHARDS
    )
    assert (report.done, report.failed, "canary_well" in report.tally) == (20, 10, False)


def test_over_the_budget_a_known_good_item_decides(store: MemoryStore) -> None:
    """Done well, the failures are the records' own, even all of them; else nobody is charged, and
    the report is not there. A stage without one has the budget alone."""
    shard = "runs/b/shards/00000"
    with pytest.raises(
        TooManyFailures, match=r"30 of 30 records .* So did a known good item, with: broken"
    ):
        run_stage(failing(30, UnreadableMedia("broken")), shard, store=store, settings=SHARDS)
    with pytest.raises(TooManyFailures, match=r"raise shards\.failed_share"):
        run_stage(failing(11, None, with_canary=False), shard, store=store, settings=SHARDS)
    assert Shard(store, shard).report("describe") is None
    report, _ = run_stage(failing(30, None), shard, store=store, settings=SHARDS)
    assert (report.done, report.failed, report.tally["canary_well"]) == (0, 30, 1)
