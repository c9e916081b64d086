"""The operator, run with real child processes: what a stage says by exit code, signal and last
line."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from mmsearch_airflow import StageOperator

from tests.patience import until

STAND_IN = """
import json, os, signal, subprocess, sys, time
command, *rest = sys.argv[1:]
print("beginning", file=sys.stderr)
if command == "exit":
    code, sentence = rest
    print(sentence, file=sys.stderr)
    sys.exit(int(code))
if command == "signal":
    os.kill(os.getpid(), int(rest[0]))
if command == "report":
    print("some output")
    print(rest[0])
if command == "environment":
    print(json.dumps({"environment": dict(os.environ), "python": sys.executable}))
if command == "linger":  # a child that is stubborn, and a stage that waits
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", ignore])
    time.sleep(0.2)
    with open(rest[0], "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    time.sleep(60)
if command == "leave":  # a stage that ends before what it started
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(json.dumps({"child": child.pid}))
"""


class RecordingTaskInstance:
    """Keeps what is pushed."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class RecordingOutlet:
    """Keeps the partitions that are added."""

    def __init__(self) -> None:
        self.partitions: list[str] = []

    def add_partitions(self, keys: list[str]) -> None:
        self.partitions += keys


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a `tasks` package of one stage, which does what its arguments say."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").touch()
    (tmp_path / "tasks/stand_in.py").write_text(STAND_IN)
    monkeypatch.setenv("MMSEARCH_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str, **options: Any) -> tuple[Any, dict[str, Any]]:
    """What the operator returns, and what it pushes."""
    instance = RecordingTaskInstance()
    operator = StageOperator(stage="stand_in", arguments=list(arguments), **options)
    return (
        operator.execute({"ti": instance, "outlet_events": options.pop("events", {})}),
        instance.pushed,
    )


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def pids(path: Path) -> list[int]:
    """The process ids in a file that is about to be written."""
    until(lambda: path.exists() and len(path.read_text().split()) == 2, "started the stage")
    return [int(pid) for pid in path.read_text().split()]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (75, AirflowException),
        (78, AirflowFailException),
        (1, AirflowFailException),
        (2, AirflowFailException),
        (64, AirflowFailException),
        (137, AirflowException),
        (139, AirflowException),
        (143, AirflowException),
    ],
)
def test_an_exit_code_chooses_between_a_retry_and_a_failure_and_the_sentence_is_the_message(
    code: int, error: type[Exception]
) -> None:
    with pytest.raises(AirflowException, match=r"The store is away\. \(exit code") as caught:
        run("exit", str(code), "The store is away.")
    assert type(caught.value) is error


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
def test_a_stage_ended_by_a_signal_is_tried_again(number: int) -> None:
    with pytest.raises(AirflowException, match=f"signal {int(number)} ended it") as caught:
        run("signal", str(int(number)))
    assert type(caught.value) is AirflowException


def test_the_last_line_is_the_report_and_one_field_is_returned() -> None:
    report = {"stage": "stand_in", "shards": ["a", "b"], "文": "字"}
    value, pushed = run("report", json.dumps(report), returns="shards")
    assert (value, pushed) == (["a", "b"], {"report": report})


def test_without_returns_the_report_is_pushed_and_nothing_is_returned() -> None:
    assert run("report", '{"read": 3}') == (None, {"report": {"read": 3}})


@pytest.mark.parametrize("line", ["no json", "[1]", "3", "", '{"read": 3'])
def test_a_last_line_that_is_no_report_fails_the_task(line: str) -> None:
    with pytest.raises(AirflowFailException, match="no report"):
        run("report", line)


def test_a_report_without_the_returned_field_fails_the_task() -> None:
    with pytest.raises(AirflowFailException, match="no field 'shards'"):
        run("report", "{}", returns="shards")


def test_every_batch_becomes_a_partition_of_the_asset() -> None:
    asset, outlet = Asset(name="batches", uri="mmsearch://batches"), RecordingOutlet()
    operator = StageOperator(
        stage="stand_in",
        arguments=["report", '{"batches": ["x", "y"]}'],
        returns="batches",
        partitions=asset,
    )
    operator.execute({"ti": RecordingTaskInstance(), "outlet_events": {asset: outlet}})
    assert outlet.partitions == ["x", "y"]
    assert operator.outlets == [asset]


def test_no_batch_skips_the_task_and_the_report_is_pushed_all_the_same() -> None:
    asset, instance = Asset(name="batches", uri="mmsearch://batches"), RecordingTaskInstance()
    operator = StageOperator(
        stage="stand_in",
        arguments=["report", '{"batches": []}'],
        returns="batches",
        partitions=asset,
    )
    with pytest.raises(AirflowSkipException, match="Nothing changed"):
        operator.execute({"ti": instance, "outlet_events": {}})
    assert instance.pushed == {"report": {"batches": []}}


def test_the_stage_gets_our_settings_and_none_of_airflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSEARCH_WORK__BUCKET", "work")
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "secret")
    environment, _ = run("environment", returns="environment")
    assert environment["MMSEARCH_WORK__BUCKET"] == "work"
    assert not [name for name in environment if name.startswith("AIRFLOW_")]


def test_another_interpreter_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nMMSEARCH_OTHER=1 exec {sys.executable} "$@"\n')
    other.chmod(0o755)
    monkeypatch.setenv("MMSEARCH_PYTHON", str(other))
    assert run("environment", returns="environment")[0]["MMSEARCH_OTHER"] == "1"


def test_the_output_is_logged_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    run("report", '{"read": 3}')
    logged = capsys.readouterr().out
    assert [logged.count(line) for line in ("beginning", "some output", '{"read": 3}')] == [1, 1, 1]


def test_on_kill_ends_the_stage_and_what_it_started_also_what_ignores_the_polite_signal(
    tmp_path: Path,
) -> None:
    operator = StageOperator(stage="stand_in", arguments=["linger", str(tmp_path / "pids")])

    def kill(*_: object) -> None:
        pids(tmp_path / "pids")
        operator.on_kill()

    # as Airflow does it: in the task's own thread, within the loop
    before = signal.signal(signal.SIGUSR1, kill)
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGUSR1]).start()
    try:
        with pytest.raises(AirflowException, match="signal 9 ended it"):
            operator.execute({"ti": RecordingTaskInstance()})
    finally:
        signal.signal(signal.SIGUSR1, before)
    family = pids(tmp_path / "pids")
    until(lambda: all(gone(pid) for pid in family), "ended")


def test_when_the_task_is_killed_the_stage_and_what_it_started_go_with_it(tmp_path: Path) -> None:
    code = (
        "import sys; from mmsearch_airflow.launcher import"
        " Launcher;list(Launcher.from_environment().start('stand_in', ['linger',"
        f" {str(tmp_path / 'pids')!r}]).lines())"
    )
    plugins = str(Path(__file__).parents[2] / "plugins")
    task = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": plugins})
    try:
        family = pids(tmp_path / "pids")
    finally:
        task.kill()
        task.wait()
    until(lambda: all(gone(pid) for pid in family), "ended")


def test_what_a_stage_leaves_running_is_ended_and_does_not_hold_the_task() -> None:
    began = time.monotonic()
    child, _ = run("leave", returns="child")
    until(lambda: gone(child), "ended")
    assert time.monotonic() - began < 30
