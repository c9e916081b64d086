"""Watch runs of Airflow until they are done: a line for every task that changes its state."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from mmsearch_core.demo.airflow_api import Airflow
from mmsearch_core.errors import StopEverything

FINISHED = {"success", "failed"}
WORTH_A_LINE = {"running", "success", "failed", "up_for_retry", "skipped", "upstream_failed"}
POLL_SECONDS = 1.5
LOOKS_UNTIL_IT_WAITS = 6
Run = dict[str, Any]


class RunFailed(StopEverything):
    """A run failed, or takes longer than anybody would wait; the text names the task and shows the
    end of its log."""


class Follower:
    """Follows runs and says what happens in them."""

    def __init__(
        self, airflow: Airflow, say: Callable[[str], None], patience: float = 1_800
    ) -> None:
        self._airflow, self._say, self._patience = airflow, say, patience
        self._seen: dict[tuple[str, str, int], tuple[str, int]] = {}
        self._looks = Counter[str]()

    def until_done(self, dag_id: str, wanted: Callable[[list[Run]], list[Run] | None]) -> list[Run]:
        """As `until_finished`; RunFailed where one of the runs failed."""
        runs = self.until_finished(dag_id, wanted)
        for run in runs:
            if run["state"] == "failed":
                raise RunFailed(self._why(dag_id, run))
        return runs

    def until_finished(
        self, dag_id: str, wanted: Callable[[list[Run]], list[Run] | None]
    ) -> list[Run]:
        """Wait until the runs that `wanted` picks are finished (None: they are not all there yet);
        the runs."""
        deadline = time.monotonic() + self._patience
        while True:
            runs = wanted(self._airflow.runs(dag_id))
            for run in runs or []:
                self._tell(dag_id, run)
            if runs is not None and all(run["state"] in FINISHED for run in runs):
                return runs
            if time.monotonic() > deadline:
                raise RunFailed(
                    f"{dag_id} was not done after {self._patience / 60:.0f} minutes: look at"
                    " Airflow."
                )
            time.sleep(POLL_SECONDS)

    def _tell(self, dag_id: str, run: Run) -> None:
        self._looks[run["dag_run_id"]] += run["state"] == "queued"
        if self._looks[run["dag_run_id"]] == LOOKS_UNTIL_IT_WAITS and run["state"] == "queued":
            self._say(f"{dag_id:18} waits until an earlier run is done")
        for task in self._airflow.tasks(dag_id, run["dag_run_id"]):
            key = (run["dag_run_id"], task["task_id"], task["map_index"])
            now = (task["state"], task["try_number"])
            if task["state"] in WORTH_A_LINE and self._seen.get(key) != now:
                self._seen[key] = now
                self._say(self._line(dag_id, task))

    def _line(self, dag_id: str, task: dict[str, Any]) -> str:
        seconds = (
            f"{task['duration']:.1f} s" if task["duration"] and task["state"] != "running" else ""
        )
        line = f"{dag_id:18} {name_of(task):16} {task['state']:15} {seconds}"
        if task["state"] in ("failed", "up_for_retry"):
            line += f"  {self._airflow.error(task)}"
        return line.rstrip()

    def _why(self, dag_id: str, run: Run) -> str:
        failed = [
            task
            for task in self._airflow.tasks(dag_id, run["dag_run_id"])
            if task["state"] == "failed"
        ]
        if not failed:
            return (
                f"{dag_id} failed without a failed task: look at run {run['dag_run_id']} in"
                " Airflow."
            )
        tail = "\n".join(f"  {line}" for line in self._airflow.log_tail(failed[0]))
        return f"{name_of(failed[0])} of {dag_id} failed; the end of its log:\n{tail}"


def name_of(task: dict[str, Any]) -> str:
    """A task's name, with its number where there are several."""
    return str(task["task_id"]) + (f"[{task['map_index']}]" if task["map_index"] >= 0 else "")
