"""Days of uploads through the real scheduler: newest first, once more without effect, and never
against a no."""

from datetime import UTC, timedelta
from typing import Any

import pytest

from mmsearch_core.catalog.take_feed import take_feed
from mmsearch_core.demo.catalog import write_sample
from mmsearch_core.demo.environment import ROOT
from mmsearch_core.demo.upload import make_buckets, upload
from mmsearch_core.settings import load_settings
from mmsearch_core.wiring.batches import Runtime
from tests.patience import until


@pytest.fixture(scope="module")
def shop(running: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A stack whose buckets hold a few pictures and whose ledger knows their products."""
    running.use_tasks(ROOT / "tasks")
    sample, settings = tmp_path_factory.mktemp("few"), load_settings()
    write_sample(sample, products=3)
    catalog, _ = make_buckets(settings)
    assert upload(catalog, sample / "catalog", "", sample / "catalog.json") > 0
    runtime = Runtime(settings)
    runtime.build_target()  # a backfill fills an index that a refresh has begun
    take_feed(
        runtime.catalog, runtime.ledger, settings.catalog, folder=tmp_path_factory.mktemp("feed")
    )
    return running


def rows() -> list[tuple[str, str, str]]:
    """Every row of the index."""
    runtime = Runtime(load_settings())
    return sorted(tuple(map(str, row)) for row in runtime.index.builds(runtime.target().collection))  # type: ignore[misc]


def backfill(shop: Any, days: int, **options: Any) -> list[dict[str, Any]]:
    """Run a backfill of the last days of uploads to its end; its runs in the order in which they
    started."""
    before = {run["dag_run_id"] for run in shop.airflow.runs("catalog_backfill")}
    uploaded = max(
        found.last_modified for found in Runtime(load_settings()).catalog.list("pictures/")
    )
    midnight = uploaded.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=days - 1)
    number = shop.airflow.backfill(
        "catalog_backfill", first.isoformat(), midnight.isoformat(), **options
    )

    def ours(runs: list[Any]) -> list[Any] | None:
        new = [run for run in runs if run["dag_run_id"] not in before]
        return new if len(new) == days else None

    runs = shop.follower.until_done("catalog_backfill", ours)
    until(
        lambda: shop.airflow.backfill_ended(number), "a backfill that Airflow calls ended", pause=1
    )
    return sorted(runs, key=lambda run: str(run["start_date"]))


def indexed(shop: Any, number: int) -> dict[str, Any]:
    """The report of the last of so many runs of `index_backfill`."""
    runs = shop.follower.until_done(
        "index_backfill", lambda runs: runs if len(runs) == number else None
    )
    report: dict[str, Any] = shop.airflow.report("index_backfill", runs[-1]["dag_run_id"], "close")
    return report


@pytest.mark.scheduler
def test_days_newest_first_then_again_without_effect_and_not_against_a_persons_word(
    shop: Any,
) -> None:
    options = {
        "run_backwards": True,
        "max_active_runs": 1,
        "dag_run_conf": {"budget_minutes": 1000},
    }
    runs = backfill(shop, 2, **options)
    keys = [run["partition_key"] for run in runs]
    assert keys == sorted(keys, reverse=True)
    today, yesterday = (shop.tries(run) for run in runs)
    assert {task: state for (task, _), (state, _) in today.items()} == dict.fromkeys(
        ("estimate", "approve", "select"), "success"
    )
    assert yesterday["select", -1] == ("skipped", 1)  # nothing was uploaded that day
    first = indexed(shop, 1)
    assert first["assets"]["live"] == first["plan"]["added"] > 0
    before = rows()
    assert len(before) >= first["assets"]["live"]

    backfill(shop, 2, reprocess_behavior="completed", **options)
    again = indexed(shop, 2)
    assert again["plan"] == {"unchanged": first["plan"]["added"]}
    assert again["model_calls"] == {"made": 0, "saved": 0}
    assert rows() == before

    run_id = shop.airflow.trigger("catalog_backfill", redo=["describe"], budget_minutes=0)
    shop.answer("catalog_backfill", run_id, "Reject")
    assert shop.state_of("catalog_backfill", run_id, "select") == "skipped"
    assert len(shop.airflow.runs("index_backfill")) == 2
