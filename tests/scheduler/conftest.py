"""One stack for all tests of this folder. Which `tasks` its stages come from is a link that a test
may turn."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmsearch_core.demo import processes, stack
from mmsearch_core.demo.airflow_api import Airflow
from mmsearch_core.demo.environment import settings_environment
from mmsearch_core.demo.follow import FINISHED, Follower, Run
from tests.patience import PATIENCE

SMALL = {
    "MMSEARCH_SHARDS__SIZE": "12",
    "MMSEARCH_QUERY_LOG__POPULAR": "6",
    "MMSEARCH_SEARCH__CANDIDATES": "10",
}
SMALL["MMSEARCH_SEARCH__CHANGES_AT_LEAST"] = "0"  # the few lists are all that there are


@dataclass(frozen=True)
class Stack:
    """The embedded parts with their Airflow, and the home from which it runs the tasks."""

    state: Path
    home: Path
    airflow: Airflow
    follower: Follower

    def use_tasks(self, folder: Path) -> None:
        """Let the stages be the commands of this folder."""
        (self.home / "tasks").unlink(missing_ok=True)
        (self.home / "tasks").symlink_to(folder)

    def refresh(self) -> tuple[Run, list[Run]]:
        """Run `catalog_refresh` and the batches that it makes; the finished runs."""
        before = {run["dag_run_id"] for run in self.airflow.runs("index_catalog")}
        run_id = self.airflow.trigger("catalog_refresh")
        (run,) = self.follower.until_done("catalog_refresh", lambda runs: _only(runs, run_id))
        batches = self.airflow.report("catalog_refresh", run_id, "compare")["batches"]

        def ours(runs: list[Run]) -> list[Run] | None:
            new = [run for run in runs if run["dag_run_id"] not in before]
            return new if len(new) >= len(batches) else None

        return run, self.follower.until_finished("index_catalog", ours)

    def precompute(self) -> Run:
        """Run `precompute_results`; the finished run."""
        run_id = self.airflow.trigger("precompute_results")
        (run,) = self.follower.until_done("precompute_results", lambda runs: _only(runs, run_id))
        return run

    def answer(self, dag_id: str, run_id: str, choice: str) -> None:
        """Answer as often as asked, until the run has ended: under load, 3.3.2 may take an answer
        for a death of the task that asked."""
        deadline = time.monotonic() + 5 * PATIENCE
        while self.airflow.run(dag_id, run_id)["state"] not in FINISHED:
            assert time.monotonic() < deadline
            asked = self.state_of(dag_id, run_id, "approve") == "awaiting_input"
            time.sleep(5)
            if asked:
                self.airflow.decide(dag_id, run_id, "approve", choice)

    def state_of(self, dag_id: str, run_id: str, task_id: str) -> str:
        """The state of a task that is not mapped."""
        return str(
            next(t["state"] for t in self.airflow.tasks(dag_id, run_id) if t["task_id"] == task_id)
        )

    def tries(self, run: Run) -> dict[tuple[str, int], tuple[str, int]]:
        """State and number of the last try of every task of a run, by task and map index."""
        tasks = self.airflow.tasks(run["dag_id"], run["dag_run_id"])
        return {(t["task_id"], t["map_index"]): (t["state"], t["try_number"]) for t in tasks}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start a stack on free ports, switch all DAGs on but the one of events, and stop everything
    afterwards."""
    state, home = tmp_path_factory.mktemp("stack"), tmp_path_factory.mktemp("home")
    # SeaweedFS takes more beside its own
    ports = processes.free_ports(21_000, 1) + processes.free_ports(22_000, 4)
    with pytest.MonkeyPatch.context() as patch:
        for name, port in zip(("S3", "MILVUS", "AIRFLOW", "QUEUE", "RELAY"), ports, strict=True):
            patch.setenv(f"MMSEARCH_DEMO_{name}_PORT", str(port))
        for name, value in {"MMSEARCH_HOME": str(home), **SMALL}.items():
            patch.setenv(name, value)
        try:
            stack.start(state)
            for name, value in settings_environment(state).items():
                patch.setenv(name, value)
            client = stack.airflow(state)
            for dag_id in stack.dag_ids() - {"catalog_inbox"}:  # what is uploaded would start it
                client.switch(dag_id, on=True)
            yield Stack(state, home, client, Follower(client, print, patience=600))
        finally:
            family = [p for name in stack.PARTS if (p := processes.running(state, name))]
            family += [child for process in family for child in process.children(recursive=True)]
            stack.stop(state)
            assert not [process for process in family if process.is_running()]


def _only(runs: list[Run], run_id: str) -> list[Run] | None:
    return [run for run in runs if run["dag_run_id"] == run_id] or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests take minutes: they begin first, beside all others."""
    for item in items:
        if "running" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(1800))
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
