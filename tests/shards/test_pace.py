"""How large a shard is, by what earlier batches took."""

from dataclasses import replace
from typing import Any

import pytest

from mmsearch_core.codec import to_json
from mmsearch_core.layout import PACE
from mmsearch_core.records.ids import RecipeId
from mmsearch_core.records.report import ShardReport
from mmsearch_core.settings import MOST_RECORDS, MOST_SHARDS, Settings
from mmsearch_core.shards.pace import (
    BATCH_KEYS,
    ENOUGH,
    LEAST_RECORDS,
    Pace,
    batch_size,
    even_pieces,
    measured,
    read,
    remember,
    shard_sizes,
)
from mmsearch_core.shards.shard import read_plan
from mmsearch_core.testing.memory_store import MemoryStore
from tests.line import fake_runtime, feed, index, picture


def sizes(pace: Pace, **knobs: Any) -> dict[str, int]:
    work = MemoryStore()
    work.put(PACE, to_json(pace))
    return {str(kind): size for kind, size in shard_sizes(work, Settings(**knobs)).items()}


def test_the_slowest_stage_decides_within_bounds() -> None:
    found = sizes(
        Pace(
            seconds={
                "picture": {"decode": 0.05, "describe": 1.5},
                "video": {"describe": 600},
                "document": {"x": 1e-9},
            }
        )
    )
    assert found == {"picture": 300, "video": LEAST_RECORDS, "document": MOST_RECORDS}


def test_before_anything_was_measured_the_guesses_of_a_backfill_count_and_a_person_may_insist() -> (
    None
):
    assert sizes(Pace()) == {"picture": 450, "video": 56, "document": 56}
    assert sizes(Pace(), backfill={"call_seconds": {"describe": 3}})["picture"] == 150
    assert set(
        sizes(Pace(seconds={"picture": {"describe": 9}}), shards={"size": 200}).values()
    ) == {200}


def test_a_batch_fits_in_memory_and_into_what_airflow_maps_over() -> None:
    work = MemoryStore()
    assert batch_size(20, work, Settings()) == 20 * 450  # as if all were pictures
    for size in (1, 450, MOST_RECORDS):
        for most in (1, 200, MOST_SHARDS):
            keys = batch_size(most, work, Settings.model_validate({"shards": {"size": size}}))
            assert keys <= BATCH_KEYS
            assert keys / size <= MOST_SHARDS < 1_000


@pytest.mark.parametrize(
    ("number", "size", "most", "pieces"),
    [
        (460, 450, 900, 230),
        (450, 450, 900, 450),
        (1, 450, 900, 1),
        (0, 450, 900, 0),
        (10, 1, 3, 4),
        (9, 3, 900, 3),
    ],
)
def test_pieces_are_about_equal(number: int, size: int, most: int, pieces: int) -> None:
    assert even_pieces(number, size, most) == pieces


def test_what_a_batch_took_is_remembered_once_it_says_enough() -> None:
    runtime = fake_runtime()
    feed(runtime, {"p1": "Lumen 1"})
    runtime.catalog.put("pictures/p1/first.jpg", picture("red"))
    index(runtime, "few")
    assert read(runtime.work) == Pace()
    for number in range(ENOUGH):
        runtime.catalog.put(f"pictures/p1/{number}.jpg", picture("blue", shade=number))
    (report,) = index(runtime, "many")
    assert set(read(runtime.work).seconds) == {"picture"}
    assert {"decode", "upsert"} <= set(read(runtime.work).seconds["picture"])
    (kind,) = set(read_plan(runtime.work, report.batch).shard_kinds.values())
    assert kind == "picture"


def test_answers_that_the_memo_had_do_not_make_a_stage_look_fast() -> None:
    """Of 100 pictures 50 were asked about, which took 100 seconds: 2 each."""
    runtime = fake_runtime()
    feed(runtime, {"p1": "Lumen 1"})
    runtime.catalog.put("pictures/p1/first.jpg", picture("red"))
    (closed,) = index(runtime)
    plan = read_plan(runtime.work, closed.batch)
    (path,) = plan.shards
    plan = replace(plan, shards={path: 100})
    half = report_of(path, read=100, made=50, saved=50, seconds=100)
    assert measured(plan, {path: [half]}) == Pace(seconds={"picture": {"describe": 2.0}})
    remember(runtime.work, plan, {path: [half]})
    # a model was loaded for one call
    night = report_of(path, read=100, made=1, saved=99, seconds=8)
    remember(runtime.work, plan, {path: [night]})
    assert read(runtime.work).seconds["picture"]["describe"] == 2.0
    old = replace(plan, shard_kinds={})
    assert measured(old, {path: [half]}) == Pace()


def report_of(path: str, *, read: int, made: int, saved: int, seconds: float) -> ShardReport:
    return ShardReport(
        stage="describe",
        shard=path,
        recipe=RecipeId("r"),
        fingerprint="f",
        read=read,
        done=read,
        failed=0,
        inputs={},
        wrote={},
        outputs={},
        tally={"calls_made": made, "calls_saved": saved},
        timing={"work_seconds": seconds},
    )
