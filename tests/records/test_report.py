"""Reports cross processes as JSON: what is read is what was written."""

import json
from typing import Any, get_args

import pytest

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.records.ids import BatchId, GenerationId, RecipeId, TargetId
from mmsearch_core.records.report import (
    AwaitReport,
    CloseReport,
    CompareReport,
    DrainReport,
    EstimateReport,
    EvaluateReport,
    FeedReport,
    Figures,
    GatesReport,
    Headroom,
    MineReport,
    ModelCalls,
    PlanReport,
    PublishReport,
    RedriveReport,
    RemovalReport,
    RollbackReport,
    SelectReport,
    ShardDone,
    ShardReport,
    StageTotals,
    TaskReport,
)

B, T, G = BatchId("b"), TargetId("t"), GenerationId("g")
CALLS = ModelCalls(made=1, saved=2)
TOTALS = {
    "decode": StageTotals(
        read=3, done=2, failed=1, calls_made=0, calls_saved=0, seconds=0.5, tally={"bytes_read": 9}
    )
}
SHARD = ShardReport(
    stage="decode",
    shard="runs/b/shards/00000",
    recipe=RecipeId("r"),
    fingerprint="f",
    read=3,
    done=2,
    failed=1,
    inputs={"changes": "1"},
    wrote={"segments": 2},
    outputs={"segments": "2"},
    tally={"bytes_read": 9},
    timing={"read_seconds": 0.1},
)
REPORTS: list[Any] = [
    ShardDone(report=SHARD, skipped=True),
    CompareReport(batches=(B,), counts={"added": 1}, target=T, feed_problems=("line 2",)),
    CompareReport(),
    DrainReport(batches=(B,), target=T, feed=FeedReport(refused="half a feed")),
    EstimateReport(
        selection={"prefix": "p/", "redo": ["describe"]},
        collection="c",
        assets=3,
        to_do=2,
        calls={"describe": 2},
        gpu_seconds=2.5,
        minutes=0.1,
        budget_minutes=60,
        ask=False,
        table="| |",
    ),
    SelectReport(batches=(B,), assets=3, dry_run=False),
    RedriveReport(batches=(), driven={"decode: X": 1}, parked={}, dry_run=True),
    PlanReport(batch=B, shards=("runs/b/shards/00000",), counts={"added": 1}),
    CloseReport(batch=B, assets={"live": 1}, stages=TOTALS, model_calls=CALLS, page="s3://p"),
    AwaitReport(incomplete=True, unfinished_batches=2),
    MineReport(batch=B, shards=(), counts={"popular": 0}),
    GatesReport(batch=B, ask=True, why=("too much changed",), page="s3://p", table="| |"),
    PublishReport(
        batch=B,
        generation=None,
        published=False,
        queries=1,
        hits=2,
        stages=TOTALS,
        model_calls=CALLS,
    ),
    RollbackReport(before=G, generation=G),
    EvaluateReport(
        index="c@1",
        queries=1,
        left_out=("q",),
        rows=(Figures(row="clip", group="all", queries=1, means={"ndcg@10": 0.5}),),
        headroom=Headroom(recovered=None, p_value=1.0),
    ),
    RemovalReport(
        stage="sweep", removed={"rows": 1}, such_as={"rows": ("r",)}, kept={}, dry_run=False
    ),
]


def test_every_report_of_a_task_is_tried() -> None:
    assert {type(report) for report in REPORTS} == set(get_args(TaskReport))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_report_is_read_as_it_was_written(report: Any) -> None:
    assert from_json(to_json(report), type(report)) == report


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_report_of_a_later_version_is_read_by_its_known_fields(report: Any) -> None:
    """Airflow and the work bucket keep reports longer than a version lasts."""
    later = {**json.loads(to_json(report)), "of_the_next_version": 1}
    assert from_json(json.dumps(later).encode(), type(report)) == report


@pytest.mark.parametrize("data", [b"[]", b"{}", b'"text"', b"7", b'{"batch": 7}', b"null"])
def test_what_is_no_report_is_refused_by_one_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="no CloseReport"):
        from_json(data, CloseReport)
