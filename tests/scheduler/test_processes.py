"""Processes of the stack: started once, known for certain, ended with what they started, and nobody
else."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mmsearch_core.demo import processes, stack
from mmsearch_core.demo.environment import Ports, ports, prepare, secrets
from mmsearch_core.demo.processes import Part, PartFailed
from tests.patience import PATIENCE

SERVER = """
import socket, subprocess, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""


def part(command: list[str], **options: Any) -> Part:
    """A part named `server`."""
    made: dict[str, Any] = {
        "name": "server",
        "command": command,
        "environment": {},
        "ready": lambda: False,
    }
    return Part(**made | {"deadline": PATIENCE} | options)


@pytest.fixture
def port() -> int:
    (port,) = processes.free_ports(23_000, 1)
    return port


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[Part]:
    """A part that listens and has a child; ended afterwards."""
    command = [sys.executable, "-c", SERVER, str(port)]
    yield part(command, port=port, port_variable="THE_PORT", ready=lambda: processes.answers(port))
    processes.end(tmp_path, "server")


def test_a_part_starts_once_and_ends_with_its_children(tmp_path: Path, server: Part) -> None:
    assert processes.start(tmp_path, server)
    processes.wait_until_ready(tmp_path, server)
    assert not processes.start(tmp_path, server)
    process = processes.running(tmp_path, "server")
    assert process is not None
    family = [process, *process.children(recursive=True)]
    processes.end(tmp_path, "server")
    assert processes.running(tmp_path, "server") is None
    assert not [
        member
        for member in family
        if member.is_running() and member.status() != psutil.STATUS_ZOMBIE
    ]


def test_another_process_with_our_id_is_not_ours_and_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        began = psutil.Process(other.pid).create_time() - 3600
        (tmp_path / "server.pid").write_text(json.dumps({"pid": other.pid, "began": began}))
        assert processes.running(tmp_path, "server") is None
        processes.end(tmp_path, "server")
        assert other.poll() is None
        other.kill()


def test_a_taken_port_is_one_sentence_with_the_variable_to_set(
    tmp_path: Path, server: Part, port: int
) -> None:
    processes.start(tmp_path, server)
    processes.wait_until_ready(tmp_path, server)
    with pytest.raises(
        PartFailed,
        match=f"^Port {port} is taken by another program: .*set THE_PORT to a free port.$",
    ):
        processes.start(tmp_path / "another", server)


def test_a_part_that_ends_or_is_never_ready_is_one_sentence_with_its_log(tmp_path: Path) -> None:
    ends = part([sys.executable, "-c", "print('why')"])
    processes.start(tmp_path, ends)
    with pytest.raises(
        PartFailed, match=r"^server ended while starting: see .*/logs/server\.log\.$"
    ):
        processes.wait_until_ready(tmp_path, ends)
    assert processes.log_path(tmp_path, "server").read_text() == "why\n"
    slow = part([sys.executable, "-c", "import time; time.sleep(60)"], deadline=0.3)
    processes.start(tmp_path, slow)
    with pytest.raises(PartFailed, match=r"^server was not ready after 0 seconds: see .*\.log\.$"):
        processes.wait_until_ready(tmp_path, slow)
    processes.end(tmp_path, "server")


def test_free_ports_are_free_and_different(tmp_path: Path, server: Part, port: int) -> None:
    processes.start(tmp_path, server)
    processes.wait_until_ready(tmp_path, server)
    found = processes.free_ports(port, 3)
    assert port not in found
    assert len(set(found)) == 3


def test_the_ports_of_what_runs_win_over_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as servers of other tests in this process set them
    for name in ("S3", "MILVUS", "AIRFLOW", "QUEUE", "RELAY"):
        monkeypatch.delenv(f"MMSEARCH_DEMO_{name}_PORT", raising=False)
    assert ports(tmp_path) == Ports(8333, 19530, 8080)
    monkeypatch.setenv("MMSEARCH_DEMO_S3_PORT", "18333")
    monkeypatch.setenv("MMSEARCH_DEMO_MILVUS_PORT", "29530")
    assert ports(tmp_path) == Ports(18333, 29530, 8080)
    prepare(tmp_path)
    me = psutil.Process()
    (tmp_path / "store.pid").write_text(json.dumps({"pid": me.pid, "began": me.create_time()}))
    monkeypatch.setenv("MMSEARCH_DEMO_S3_PORT", "1")
    monkeypatch.setenv("MMSEARCH_DEMO_MILVUS_PORT", "2")
    assert ports(tmp_path) == Ports(18333, 2, 8080)
    monkeypatch.setenv("MMSEARCH_DEMO_AIRFLOW_PORT", "eight")
    with pytest.raises(PartFailed, match="MMSEARCH_DEMO_AIRFLOW_PORT is 'eight'"):
        ports(tmp_path)


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    made = secrets(tmp_path)
    assert secrets(tmp_path) == made
    prepare(tmp_path)
    for name in ("secrets.json", "mmsearch.toml", "airflow/passwords.json"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0, name


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "LEAST_FREE", 10**18)
    with pytest.raises(
        PartFailed, match=r"^Only [0-9.]+ GB are free under .*: make room for at least 2 GB\.$"
    ):
        stack.start(tmp_path / "stack")
