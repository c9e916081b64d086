"""Who works on a shard, and what is remembered of those who died."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from mmsearch_core.codec import dump, from_json, to_json
from mmsearch_core.errors import Busy
from mmsearch_core.records.run import Failure, Plan, Recipe
from mmsearch_core.settings import Shards
from mmsearch_core.shard_lease import LeaseNote, ShardLease
from mmsearch_core.shards import Outcome, Shard, Stage, Tally, run_stage
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
        recipes={"describe": RECIPE.recipe_id},
        shards={"runs/b/shards/00000": 5},
        counts={},
        versions={},
    )
    store.put("runs/b/plan.json", to_json(plan))
    return store


def stage(poison: str = "") -> Stage[Any]:
    """Copies its items; dies on the poisoned one, as a process does: without giving the lease back."""

    def work(items: Sequence[Failure], _: Tally) -> list[Outcome]:
        if any(item.record_id == poison for item in items):
            raise KeyboardInterrupt
        return [[item] for item in items]

    return Stage(
        recipe=RECIPE,
        reads={"changes": "plan"},
        writes={"copies": Failure},
        items=lambda shard: shard.read("changes", Failure),
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


def test_deaths_are_counted_and_the_culprit_is_quarantined(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two deaths, then one by one: the third names the record, the fourth attempt does all others."""
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


def test_equal_runs_have_equal_reports_but_for_timing(store: MemoryStore) -> None:
    """What "equal" means."""
    shard, key = "runs/b/shards/00000", "runs/b/shards/00000/reports/describe.json"
    first, _ = run_stage(stage(), shard, store=store, settings=SHARDS)
    store.delete(key)
    second, _ = run_stage(stage(), shard, store=store, settings=SHARDS)
    fields = [name for name in first.__slots__ if name != "timing"]
    assert [getattr(first, name) for name in fields] == [getattr(second, name) for name in fields]


class Forgetful(MemoryStore):
    """Loses the answer of a conditional write that took effect, and tries again, as HTTP clients do."""

    def put(self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None) -> str:
        super().put(key, data, if_none_match=if_none_match, if_match=if_match)
        return super().put(key, data, if_none_match=if_none_match, if_match=if_match)


def test_a_lease_is_ours_though_the_answer_was_lost() -> None:
    """The second try of the same write is refused, by our own first: no reason to wait, to stop or to count a death."""
    store = Forgetful()
    with ShardLease(store, KEY, seconds=30) as lease:
        lease.check()
        lease.about_to_touch("x")
    with ShardLease(store, KEY, seconds=30) as lease:
        assert (lease.note.deaths, lease.note.in_flight) == (0, "")


def test_a_lease_that_ends_next_year_was_taken_by_a_clock_that_was_ahead(store: MemoryStore) -> None:
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
