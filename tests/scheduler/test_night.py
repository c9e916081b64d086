"""From bucket to published results through Airflow's real scheduler, with the real parts and the
shipped models."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.demo import processes
from mmsearch_core.demo.catalog import write_sample
from mmsearch_core.demo.environment import ROOT
from mmsearch_core.demo.upload import make_buckets, upload
from mmsearch_core.records.line import INDEX, names
from mmsearch_core.settings import load_settings
from mmsearch_core.wiring.batches import Runtime

INDEX_STAGES = ("plan", *names(INDEX), "close")
SEARCH_STAGES = (
    "await_index",
    "mine",
    "standardize",
    "retrieve",
    "judge",
    "gates",
    "approve",
    "publish",
)


def mmsearch(*arguments: str) -> Any:
    """What the command line answers."""
    command = [str(processes.program("mmsearch")), *arguments, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def shop(running: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A stack whose stages are the real ones and whose buckets hold a small sample."""
    running.use_tasks(ROOT / "tasks")
    sample, settings = tmp_path_factory.mktemp("sample"), load_settings()
    write_sample(sample, products=16)
    stores = make_buckets(settings)
    prefixes = ("", settings.query_log.prefix)
    for store, name, prefix in zip(stores, ("catalog", "queries"), prefixes, strict=True):
        note = sample / f"{name}.json"
        assert upload(store, sample / name, prefix, note) > 0
        assert upload(store, sample / name, prefix, note) == 0
    return running


@pytest.mark.scheduler
def test_a_night_the_next_night_and_one_that_a_person_has_to_approve(
    shop: Any, tmp_path: Path
) -> None:
    # every fifth product has two pictures, one picture is there twice, two products have a film,
    # two a size chart, and two a scanned one
    files = 16 + 3 + 1 + 2 + 2 + 2
    refreshed, (indexed,) = shop.refresh()
    assert shop.tries(refreshed) == {
        ("compare", -1): ("success", 1),
        ("compare_beside", -1): ("skipped", 1),
    }
    compared = shop.airflow.report("catalog_refresh", refreshed["dag_run_id"], "compare")
    added = compared["counts"]["added"]
    # a few are there from another test
    assert added == files - compared["counts"].get("unchanged", 0) > 12
    assert compared["batches"] == [indexed["partition_key"]]
    tries = shop.tries(indexed)
    assert {task for task, _ in tries} == set(INDEX_STAGES)
    # 12 pictures in the first, the rest in the second, the size charts and the films in others
    assert {shard for task, shard in tries if task == "decode"} == {0, 1, 2, 3}
    assert set(tries.values()) == {("success", 1)}
    closed = shop.airflow.report("index_catalog", indexed["dag_run_id"], "close")
    assert closed["assets"] == {"live": added, "failed": 0, "removed": 0, "unsettled": 0}
    (target,) = mmsearch("status")["index"]["targets"]
    assert (target["status"], target["assets"]["live"], target["failures"]) == (
        "live",
        files,
        [],
    )

    published = shop.precompute()
    assert set(shop.tries(published).values()) == {("success", 1)}
    assert {task for task, _ in shop.tries(published)} == set(SEARCH_STAGES)
    report = shop.airflow.report("precompute_results", published["dag_run_id"], "publish")
    assert report["published"]
    assert report["queries"] == 6
    results = mmsearch("results", "red striped dress")
    assert (results["query"], results["generation"]) == ("red striped dress", report["generation"])
    assert results["hits"]
    assert {hit["verdict"] for hit in results["hits"]} <= {"相关", "不相关", None}
    assert all(
        hit["product_id"].startswith("p") and hit["evidence"]["key"] for hit in results["hits"]
    )

    refreshed, indexed_again = shop.refresh()
    assert set(shop.tries(refreshed).values()) == {("skipped", 1)}  # done, and nothing to emit
    compared = shop.airflow.report("catalog_refresh", refreshed["dag_run_id"], "compare")
    assert (compared["batches"], compared["counts"]["unchanged"]) == ([], files)
    assert indexed_again == []

    lose_the_log()
    run_id = shop.airflow.trigger("precompute_results")
    shop.answer("precompute_results", run_id, "Approve")  # test_backfill has the other answer
    asked = shop.airflow.report("precompute_results", run_id, "gates")
    assert (asked["ask"], asked["why"]) == (True, ["6 of 6 published lists would be gone"])
    assert shop.airflow.report("precompute_results", run_id, "publish")["published"]
    assert mmsearch("results", "green dress")["generation"] != results["generation"]

    run_id = shop.airflow.trigger("results_rollback")
    shop.follower.until_done(
        "results_rollback", lambda runs: [r for r in runs if r["dag_run_id"] == run_id] or None
    )
    status = mmsearch("status")["results"]
    assert (status["generation"], status["hold"]) == (results["generation"], True)


def lose_the_log() -> None:
    """All that is left of it is one query that nobody had asked."""
    settings = load_settings()
    log = Runtime(settings).query_log
    for found in list(log.list(settings.query_log.prefix)):
        log.delete(found.key)
    lines = [
        json.dumps(
            {
                "time": "2026-11-20T10:00:00Z",
                "session": session,
                "locale": "en",
                "query": "green dress",
            }
        )
        for session in ("a", "b", "c")
    ]
    log.put(f"{settings.query_log.prefix}left.jsonl", "\n".join(lines).encode())
