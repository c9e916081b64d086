"""What close makes of a batch that others overtook, and of stages that did not finish."""

import time

import pytest

from mmsearch_core.catalog.manifest import Manifest
from mmsearch_core.codec import to_json
from mmsearch_core.errors import EngineAway, StageMissing, TryLater
from mmsearch_core.layout import lease_key, manifest_key
from mmsearch_core.records.ids import BatchId
from mmsearch_core.records.report import CloseReport
from mmsearch_core.shards.lease import LeaseNote
from mmsearch_core.shards.task_errors import leave, of_exception
from mmsearch_core.wiring.batches import Runtime
from tasks import close, compare, plan
from tests.line import INDEX, do, fake_runtime, feed, index, index_batch, picture

A, B = "pictures/p1/a.jpg", "pictures/p2/b.jpg"


@pytest.fixture
def shop() -> Runtime:
    """One picture, live; another product without pictures."""
    runtime = fake_runtime(shards={"size": 2})
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    runtime.catalog.put(A, picture("red"))
    index(runtime)
    return runtime


def hint(runtime: Runtime, name: str, *keys: str) -> str:
    """A batch as events make it."""
    runtime.work.put(
        manifest_key(name), to_json(Manifest(batch=BatchId(name), source="events", keys=keys))
    )
    runtime.ledger.open_batch(BatchId(name), target=runtime.target().target_id, source="events")
    return name


def indexed(runtime: Runtime, name: str, *keys: str) -> str:
    """A batch that is done but for its close."""
    batch = hint(runtime, name, *keys)
    for shard in plan.work(runtime, batch).shards:
        do(runtime, shard, *INDEX)
    return batch


def assets(report: CloseReport) -> dict[str, int]:
    return {state: count for state, count in report.assets.items() if count}


def test_an_upload_whose_removal_overtook_it_is_settled(shop: Runtime) -> None:
    """Bucket and index agree: neither has it."""
    shop.catalog.put(B, picture("blue"))
    first = indexed(shop, "e1", B)
    shop.catalog.delete(B)
    assert assets(index_batch(shop, hint(shop, "e2", B))) == {"removed": 1}
    report = close.work(shop, first)
    assert assets(report) == {"superseded": 1}
    assert shop.ledger.open_batches(shop.target().target_id) == 0


@pytest.mark.parametrize("done", [True, False], ids=["indexed", "changed on the way"])
def test_an_upload_that_a_later_batch_replaced_is_settled(shop: Runtime, done: bool) -> None:
    """Whether its own rows were ever live or not."""
    shop.catalog.put(B, picture("blue"))
    batch = hint(shop, "e1", B)
    (shard,) = plan.work(shop, batch).shards
    do(shop, shard, *(INDEX if done else INDEX[:-1]))
    shop.catalog.put(B, picture("green"))
    index_batch(shop, hint(shop, "e2", B))
    do(shop, shard, *INDEX)
    assert assets(close.work(shop, batch)) == {"superseded": 1}


def test_a_removal_that_came_back_in_a_later_batch_is_settled(shop: Runtime) -> None:
    """And so is an upload whose product left the feed meanwhile."""
    shop.catalog.delete(A)
    first = indexed(shop, "e1", A)
    shop.catalog.put(A, picture("green"))
    index_batch(shop, hint(shop, "e2", A))
    assert assets(close.work(shop, first)) == {"superseded": 1}
    shop.catalog.put(B, picture("blue"))
    second = indexed(shop, "e3", B)
    feed(shop, {"p1": "Lumen 1"})
    index(shop, "run-2")
    assert assets(close.work(shop, second)) == {"superseded": 1}


def test_what_nobody_settled_is_unsettled(shop: Runtime) -> None:
    """Removed by another batch and there again; or being written."""
    shop.catalog.put(B, picture("blue"))
    first = indexed(shop, "e1", B)
    shop.catalog.delete(B)
    index_batch(shop, hint(shop, "e2", B))
    shop.catalog.put(B, picture("black"))
    with pytest.raises(TryLater, match="1 of 1 assets of batch e1 changed meanwhile"):
        close.work(shop, first)
    indexed(shop, "e3", B)
    assert assets(close.work(shop, first)) == {"superseded": 1}
    shop.catalog.put(A, picture("black"))
    batch = hint(shop, "e4", A)
    (shard,) = plan.work(shop, batch).shards
    do(shop, shard, *INDEX[:-1])
    shop.catalog.put(A, picture("green"))
    do(shop, shard, "upsert")
    with pytest.raises(TryLater, match="1 of 1"):
        close.work(shop, batch)


def planned(runtime: Runtime, run: str = "night") -> tuple[str, tuple[str, ...]]:
    """A batch of two shards."""
    for number in range(3):
        runtime.catalog.put(f"pictures/p2/{number}.jpg", picture("blue", shade=number))
    (batch,) = compare.work(runtime, run).batches
    return batch, plan.work(runtime, batch).shards


def test_a_stage_that_left_a_reason_is_named_with_it(shop: Runtime) -> None:
    """The first shard with a word about why; the others are counted."""
    batch, shards = planned(shop)
    do(shop, shards[1], "decode")
    away = of_exception(EngineAway("The engine is away."), stage="describe", exit_code=75)
    leave(shop.work, shards[1], away)
    said = (
        rf"^describe of {shards[1]} failed with EngineAway: The engine is away\. Another shard did"
        r" not finish\. See s3"
    )
    with pytest.raises(StageMissing, match=said):
        close.work(shop, batch)
    page = (shop.work.get(f"runs/{batch}/report.html") or b"").decode()
    assert "What stopped it" in page
    assert f"{shards[0]} has no report of decode" in page
    assert f"{away.at:%Y-%m-%d %H:%M} UTC, exit code 75" in page
    for shard in shards:
        do(shop, shard, *INDEX)
    assert assets(close.work(shop, batch)) == {"live": 3}  # the reason is superseded by the report


@pytest.mark.parametrize(
    ("seconds", "said"), [(-1, "3 processes died of it.*record 7"), (60, "A process works on it")]
)
def test_a_process_that_was_killed_or_still_works_is_told_from_its_lease(
    shop: Runtime, seconds: float, said: str
) -> None:
    batch, shards = planned(shop)
    note = LeaseNote(holder="somebody", expires=time.time() + seconds, deaths=2, in_flight="7")
    shop.work.put(lease_key(shards[0], "decode"), to_json(note))
    with pytest.raises(StageMissing, match=rf"decode of {shards[0]}: {said}"):
        close.work(shop, batch)


def test_a_batch_that_could_not_be_planned_has_a_page_that_says_why(shop: Runtime) -> None:
    """And one that nobody asked for has none."""
    batch = hint(shop, "e1", A)
    leave(shop.work, f"runs/{batch}", of_exception(KeyError("x"), stage="plan", exit_code=1))
    with pytest.raises(
        StageMissing,
        match=r"plan of runs/e1 failed with KeyError: 'x' See s3://mmsearch/runs/e1/report",
    ):
        close.work(shop, batch)
    assert shop.ledger.open_batches(shop.target().target_id) == 1
    with pytest.raises(StageMissing, match="has no manifest"):
        close.work(shop, "typo")
    assert not list(shop.work.list("runs/typo"))


def test_half_a_reason_or_half_a_note_is_left_out(shop: Runtime) -> None:
    batch, shards = planned(shop)
    shop.work.put(f"{shards[0]}/errors/decode.json", b'{"stage": "dec')
    shop.work.put(lease_key(shards[0], "decode"), b'{"hol')
    with pytest.raises(StageMissing, match="no report of decode"):
        close.work(shop, batch)


def test_an_observation_that_is_ours_is_not_later(shop: Runtime) -> None:
    """The same plan done twice: nothing of it is superseded by itself."""
    batch, shards = planned(shop)
    for shard in (*shards, *shards):
        shop.work.delete(f"{shard}/reports/upsert.json")
        do(shop, shard, *INDEX)
    assert assets(close.work(shop, batch)) == {"live": 3}
