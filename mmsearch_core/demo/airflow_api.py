"""The few calls of Airflow's REST API that a demo and a test need."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx


class Airflow:
    """A client of one Airflow with its simple auth manager; the token is asked for when it is first
    needed."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address
        self._account = {"username": user, "password": password}
        self._http = httpx.Client(base_url=address, timeout=30, trust_env=False)

    def answers(self) -> bool:
        """Whether the API server takes requests."""
        return bool(self._health())

    def healthy(self) -> bool:
        """Whether the API server answers and the other parts have lately given a sign of life."""
        health = self._health()
        return all(
            health.get(part, {}).get("status") == "healthy"
            for part in ("scheduler", "dag_processor", "triggerer")
        )

    def knows(self, dag_ids: set[str]) -> bool:
        """Whether these DAGs have been read."""
        return dag_ids <= {dag["dag_id"] for dag in self.get("dags", exclude_stale=True)["dags"]}

    def create_pools(self, pools: Mapping[str, Mapping[str, Any]]) -> None:
        """Create pools, or bring them to what is asked."""
        for name, pool in pools.items():
            answer = self._request(
                "POST", "pools", json={"name": name, **pool}, allowed=frozenset({409})
            )
            if answer.status_code == 409:
                self._request("PATCH", f"pools/{name}", json={"pool": name, **pool})

    def switch(self, dag_id: str, *, on: bool) -> None:
        """Let a DAG start runs, or pause it."""
        self._request("PATCH", f"dags/{dag_id}", json={"is_paused": not on})

    def trigger(self, dag_id: str, **form: Any) -> str:
        """Start a run by hand, with these fields of its form; its id."""
        body = {"logical_date": None, "conf": form}
        return str(self._request("POST", f"dags/{dag_id}/dagRuns", json=body).json()["dag_run_id"])

    def backfill(self, dag_id: str, first: str, last: str, **options: Any) -> int:
        """Start a backfill from one moment to another; its id."""
        body = {"dag_id": dag_id, "from_date": first, "to_date": last, **options}
        return int(self._request("POST", "backfills", json=body).json()["id"])

    def backfill_ended(self, number: int) -> bool:
        """Whether Airflow has closed a backfill; until then it refuses another one of the same
        DAG."""
        return self.get(f"backfills/{number}")["completed_at"] is not None

    def decide(self, dag_id: str, run_id: str, task_id: str, choice: str) -> None:
        """Answer a task that waits for a person."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._request("PATCH", path, json={"chosen_options": [choice], "params_input": {}})

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        return self.get(f"dags/{dag_id}/dagRuns/{run_id}")

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The latest runs of a DAG, oldest first."""
        return list(
            reversed(
                self.get(f"dags/{dag_id}/dagRuns", order_by="-run_after", limit=100)["dag_runs"]
            )
        )

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        return list(self._pages(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances"))

    def report(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """The report of a task that is not mapped."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/report"
        value: dict[str, Any] = self.get(path, deserialize=False)["value"]
        return value

    def log_tail(self, task: Mapping[str, Any], lines: int = 20) -> list[str]:
        """The end of what the last try of a task said."""
        said = [
            entry for entry in self._log(task) if not str(entry.get("event", "")).startswith("::")
        ]
        return [f"{entry['event']} {_errors(entry)}".rstrip() for entry in said][-lines:]

    def error(self, task: Mapping[str, Any]) -> str:
        """The sentence that the last try of a task ended with."""
        return next((text for entry in reversed(self._log(task)) if (text := _errors(entry))), "")

    def _log(self, task: Mapping[str, Any]) -> list[dict[str, Any]]:
        path = (
            "dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/logs/{try_number}".format(
                **task
            )
        )
        content = self.get(path, map_index=task["map_index"], full_content=True)["content"]
        return [entry if isinstance(entry, dict) else {"event": str(entry)} for entry in content]

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """One JSON object."""
        answer: dict[str, Any] = self._request("GET", path, params=parameters).json()
        return answer

    def _pages(self, path: str, field: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while page := self.get(path, limit=100, offset=offset)[field]:
            yield from page
            offset += len(page)

    def _health(self) -> dict[str, Any]:
        try:
            answer = self._http.get("/api/v2/monitor/health")
            health: dict[str, Any] = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            return {}
        return health

    def _request(
        self, method: str, path: str, *, allowed: frozenset[int] = frozenset(), **options: Any
    ) -> httpx.Response:
        if "Authorization" not in self._http.headers:
            token = (
                self._http.post("/auth/token", json=self._account)
                .raise_for_status()
                .json()["access_token"]
            )
            self._http.headers["Authorization"] = f"Bearer {token}"
        answer = self._http.request(method, f"/api/v2/{path}", **options)
        if answer.status_code not in allowed:
            answer.raise_for_status()
        return answer


def _errors(entry: Mapping[str, Any]) -> str:
    return "; ".join(str(error["exc_value"]) for error in entry.get("error_detail") or ())
