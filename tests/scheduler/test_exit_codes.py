"""What a stage's exit code does through the real scheduler, with stand-ins for the stages."""

import json
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.records.line import INDEX, names

STAGES = ("compare", "plan", *names(INDEX), "close")
# the exit codes of the tries of a stage, by its last argument; a code of -9 is a kill; afterwards
# it succeeds
CODES = {
    "decode runs/b/shards/00000": [75],
    "embed_image runs/b/shards/00000": [-9],
    "describe runs/b/shards/00001": [78, 0],
    "close batch-1": [78],
}
REPORTS: dict[str, dict[str, Any]] = {
    "compare": {"batches": ["batch-1"]},
    "compare 1": {"batches": []},  # beside
    "plan": {"shards": ["runs/b/shards/00000", "runs/b/shards/00001"]},
}
STAND_IN = """
import json, os, pathlib, sys
here, stage = pathlib.Path(__file__).parent, pathlib.Path(__file__).stem
script = json.loads((here / "script.json").read_text())
name = f"{stage} {sys.argv[-1]}"
tries = here / ("tries " + name.replace("/", " "))
number = len(tries.read_text()) if tries.exists() else 0
tries.write_text("x" * (number + 1))
codes = script["codes"].get(name, [])
code = codes[number] if number < len(codes) else 0
if code < 0:
    os.kill(os.getpid(), -code)
if code:
    sys.exit(print("A sentence for people.", file=sys.stderr) or code)
said = script["reports"].get(name) or script["reports"].get(stage, {})
print(json.dumps({"stage": stage, **said}))
"""


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """A package of stages that do what the script says."""
    (tmp_path / "__init__.py").touch()
    for stage in STAGES:
        (tmp_path / f"{stage}.py").write_text(STAND_IN)
    (tmp_path / "script.json").write_text(json.dumps({"codes": CODES, "reports": REPORTS}))
    return tmp_path


@pytest.mark.scheduler
def test_try_later_and_a_kill_are_tried_again_and_stop_is_not(
    running: Any, stand_ins: Path
) -> None:
    running.use_tasks(stand_ins)
    refreshed, (indexed,) = running.refresh()
    assert (refreshed["state"], indexed["state"]) == ("success", "failed")
    assert running.tries(refreshed) == {
        ("compare", -1): ("success", 1),
        ("compare_beside", -1): ("skipped", 1),
    }
    assert indexed["partition_key"] == "batch-1"
    assert running.tries(indexed) == {
        ("plan", -1): ("success", 1),
        ("decode", 0): ("success", 2),  # 75, then done
        ("decode", 1): ("success", 1),
        ("read_tables", 0): ("success", 1),
        ("read_tables", 1): ("success", 1),
        ("describe", 0): ("success", 1),
        ("describe", 1): ("failed", 1),  # 78: a second try would have succeeded
        ("embed_text", 0): ("success", 1),
        ("embed_text", 1): ("upstream_failed", 0),
        ("embed_image", 0): ("success", 2),  # killed, then done
        ("embed_image", 1): ("success", 1),
        ("upsert", 0): ("success", 1),
        ("upsert", 1): ("upstream_failed", 0),
        ("close", -1): ("failed", 1),  # runs although a shard failed, and says so
    }
    (failed,) = [
        t
        for t in running.airflow.tasks("index_catalog", indexed["dag_run_id"])
        if t["task_id"] == "close"
    ]
    assert running.airflow.error(failed) == "close: A sentence for people. (exit code 78)"
    (stand_ins / "script.json").write_text(
        json.dumps(
            {"codes": {}, "reports": {"compare": {"batches": ["batch-2"]}, "plan": {"shards": []}}}
        )
    )
    _, (empty,) = running.refresh()
    assert empty["state"] == "success"
    states = {task: state for (task, _), (state, _) in running.tries(empty).items()}
    assert states == dict.fromkeys(STAGES[2:8], "skipped") | {"plan": "success", "close": "success"}
