"""What every DAG of mmsearch keeps to."""

import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from mmsearch_core.settings import Search
from mmsearch_core.stages.search.await_index import TRY_SECONDS

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dags").glob("*.py"))
BY_HAND = {"evaluate"}  # stages that no DAG runs yet
LONGEST_WAIT = next(
    rule.le for rule in Search.model_fields["await_minutes"].metadata if hasattr(rule, "le")
)
HEAVY = {
    "torch",
    "pymilvus",
    "fastapi",
    "mmsearch_core",
    "tasks",
    "transformers",
    "pandas",
    "boto3",
}


@pytest.fixture(scope="module")
def bag() -> DagBag:
    """All DAGs, parsed once."""
    return DagBag(str(ROOT / "dags"))


@pytest.fixture(scope="module")
def dags(bag: DagBag) -> list[DAG]:
    """All DAGs."""
    return list(bag.dags.values())


@pytest.fixture(scope="module")
def tasks(dags: list[DAG]) -> list[Any]:
    """All tasks of all DAGs."""
    return [task for dag in dags for task in dag.tasks]


def test_every_file_is_imported_and_holds_the_one_dag_it_is_named_after(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert {Path(dag.fileloc).stem: dag.dag_id for dag in bag.dags.values()} == {
        f.stem: f.stem for f in FILES
    }


def test_every_dag_says_what_it_is_for_and_whose_it_is(dags: list[DAG]) -> None:
    for dag in dags:
        assert dag.doc_md, dag.dag_id
        assert dag.doc_md.startswith("### "), dag.dag_id
        assert "mmsearch" in dag.tags, dag.dag_id
        assert not dag.catchup, dag.dag_id
        assert dag.max_active_runs <= 4, dag.dag_id
        assert all(not param.schema.get("required") for param in dag.params.values()), dag.dag_id


def test_every_task_has_an_owner_and_a_limit_and_is_tried_again_soon(tasks: list[Any]) -> None:
    for task in tasks:
        assert task.owner == "mmsearch", task
        assert 1 <= task.retries <= 5, task
        assert task.retry_delay.total_seconds() <= 60, task
        assert task.retry_exponential_backoff, task
        assert task.execution_timeout or task.response_timeout < timedelta(days=1), task


def test_an_outage_of_twenty_minutes_fails_no_task(tasks: list[Any]) -> None:
    """Airflow's own formula, without what it adds at random."""
    for task in tasks:
        if not hasattr(task, "stage"):
            continue
        first, longest = task.retry_delay.total_seconds(), task.max_retry_delay.total_seconds()
        pauses = [
            min(first * task.retry_exponential_backoff**number, longest)
            for number in range(task.retries)
        ]
        assert 20 * 60 <= sum(pauses) <= 30 * 60, task


def test_every_pool_is_in_the_file_that_creates_them(tasks: list[Any]) -> None:
    known = json.loads((ROOT / "docker/pools.json").read_text())
    assert {task.pool for task in tasks} - {"default_pool"} == set(known)
    assert known["index"]["slots"] == 1


def test_whatever_runs_a_model_waits_for_the_gpu(tasks: list[Any]) -> None:
    on_gpu = {"describe", "embed_text", "embed_image", "standardize", "judge"}
    assert {task.task_id for task in tasks if task.pool == "gpu"} == on_gpu


def test_every_stage_is_the_task_of_its_name_once_a_lane(dags: list[DAG], tasks: list[Any]) -> None:
    stages = [path.stem for path in (ROOT / "tasks").glob("[!_]*.py") if path.stem not in BY_HAND]
    of_stages = [task for task in tasks if hasattr(task, "stage")]
    assert {task.task_id for task in tasks if task not in of_stages} == {"approve"}
    assert [task.task_id for task in of_stages if task.task_id != task.stage] == ["compare_beside"]
    lanes = ("index_backfill", "index_events")
    twice = [task.task_id for dag in dags if dag.dag_id in lanes for task in dag.tasks] + [
        "compare"
    ]
    assert Counter(task.stage for task in of_stages) == Counter(stages + twice)


def test_three_lanes_are_the_same_line_and_events_stand_before_the_night_and_that_before_a_backfill(
    dags: list[DAG],
) -> None:
    lanes = {dag.dag_id: dag for dag in dags if dag.dag_id.startswith("index_")}
    order = [lanes.pop(name) for name in ("index_backfill", "index_catalog", "index_events")]
    assert lanes == {}
    arrows = [{task.task_id: task.downstream_task_ids for task in dag.tasks} for dag in order]
    assert arrows[0] == arrows[1] == arrows[2]
    weights = [{task.priority_weight for task in dag.tasks} for dag in order]
    assert max(weights[0]) < min(weights[1]) <= max(weights[1]) < min(weights[2])
    assert {task.weight_rule for dag in order for task in dag.tasks} == {"absolute"}
    backfill = order[0]
    assert all(task.max_active_tis_per_dag == 1 for task in backfill.tasks if task.pool == "gpu")
    assert backfill.max_active_runs == 1


def test_the_night_waits_for_the_index_before_it_looks_at_a_query(dags: list[DAG]) -> None:
    """As long as the deadline that a shop may set, and with a process that ends before its own
    limit."""
    (dag,) = [dag for dag in dags if dag.dag_id == "precompute_results"]
    (first,) = [task for task in dag.tasks if not task.upstream_task_ids]
    assert (first.task_id, first.downstream_task_ids) == ("await_index", {"mine"})
    assert first.execution_timeout.total_seconds() > TRY_SECONDS + 600
    assert (first.retries + 1) * TRY_SECONDS >= 60 * LONGEST_WAIT


def test_the_form_of_a_backfill_is_typed_and_needs_no_filling_in(dags: list[DAG]) -> None:
    (dag,) = [dag for dag in dags if dag.dag_id == "catalog_backfill"]
    dag.validate()
    types = {name: dag.params.get_param(name).schema["type"] for name in dag.params}
    assert types == {
        "prefix": "string",
        "kinds": "array",
        "first_day": ["null", "string"],
        "last_day": ["null", "string"],
        "redo": "array",
        "vlm": "string",
        "clip": "string",
        "sbert": "string",
        "budget_minutes": ["null", "number"],
        "dry_run": "boolean",
    }
    stage = (ROOT / "mmsearch_core/catalog/selection.py").read_text()
    assert all(f"    {name}: " in stage for name in types)


def test_every_asset_that_is_filled_starts_something(dags: list[DAG], tasks: list[Any]) -> None:
    filled = {outlet.name for task in tasks for outlet in task.outlets}
    heard = [c for dag in dags if (c := getattr(dag.timetable, "asset_condition", None))]
    assets = {
        asset.name: asset
        for condition in heard
        for asset in getattr(condition, "objects", [condition])
    }
    watched = {name for name, asset in assets.items() if asset.watchers}
    assert filled == {"catalog_batch", "event_batch", "backfill_batch"}
    assert (filled | watched, watched) == (set(assets), {"catalog_queue"})


def test_two_parses_serialise_alike(dags: list[DAG]) -> None:
    """Else every parse would be a new version of the DAG."""
    again = DagBag(str(ROOT / "dags")).dags
    for dag in dags:
        first, second = (
            json.dumps(DagSerialization.to_dict(d), sort_keys=True)
            for d in (dag, again[dag.dag_id])
        )
        assert first == second, dag.dag_id


def test_dag_files_load_little_beyond_airflows_sdk() -> None:
    """Measured by what gets loaded, since a busy machine makes a clock lie."""
    code = f"""
import json, runpy, sys
sys.path.insert(0, {str(ROOT / "plugins")!r})
from airflow.sdk import DAG, Asset, BaseOperator, Context, CronPartitionTimetable
from airflow.sdk import PartitionedAssetTimetable, TriggerRule, task_group
from airflow.sdk.exceptions import AirflowException
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.triggers.base import BaseEventTrigger
before = set(sys.modules)
for file in {[str(file) for file in FILES]!r}:
    runpy.run_path(file)
print(json.dumps([sorted(set(sys.modules) - before), sorted(sys.modules)]))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    added, loaded = json.loads(result.stdout.splitlines()[-1])
    assert [name for name in loaded if name.partition(".")[0] in HEAVY] == []
    assert {name.partition(".")[0] for name in added} - set(sys.stdlib_module_names) <= {
        "airflow",
        "mmsearch_airflow",
    }
    assert len(added) < 80


def test_nothing_is_published_past_the_gates(dags: list[DAG]) -> None:
    """Every way to `publish` leads by the gates and the approval, whose no is what silence
    means."""
    (dag,) = [dag for dag in dags if dag.dag_id == "precompute_results"]
    line = ["judge", "gates", "approve", "publish"]
    for before, after in pairwise(line):
        assert dag.get_task(before).downstream_task_ids == {after}
        assert dag.get_task(after).upstream_task_ids == {before}
    approve, publish = dag.get_task("approve"), dag.get_task("publish")
    assert (approve.defaults, approve.fail_on_reject) == (["Reject"], False)
    assert approve.response_timeout < timedelta(days=1)
    assert publish.trigger_rule == "all_success"
    assert dag.get_task("gates").trigger_rule == "none_failed"


def test_going_back_is_by_hand_and_needs_no_filling_in(dags: list[DAG]) -> None:
    (dag,) = [dag for dag in dags if dag.dag_id == "results_rollback"]
    dag.validate()
    assert not dag.timetable.can_be_scheduled
    assert dict(dag.params) == {"generation": ""}
    stage = (ROOT / "mmsearch_core/stages/search/rollback.py").read_text()
    assert "    generation: str" in stage
