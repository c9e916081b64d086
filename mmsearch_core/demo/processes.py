"""Processes that outlive the command that starts them: each in its own session, known by a file
with its id and the moment it began, so that another program that got the same id later is never
taken for ours."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx
import psutil

from mmsearch_core.errors import StopEverything

HOST = "127.0.0.1"
POLITE_SECONDS = 12  # SeaweedFS takes three to leave, Airflow's scheduler up to ten


class PartFailed(StopEverything):
    """A part of the stack cannot run here; the sentence says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the stack. `ready` is asked until it answers True; `deadline` seconds are the
    patience."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    deadline: float
    port: int | None = None
    port_variable: str = ""


def running(state: Path, name: str) -> psutil.Process | None:
    """Our process of that name, if it lives."""
    try:
        noted = json.loads((state / f"{name}.pid").read_text())
        process = psutil.Process(noted["pid"])
        ours = (
            abs(process.create_time() - noted["began"]) < 2
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (OSError, ValueError, psutil.Error):
        return None
    return process if ours else None


def start(state: Path, part: Part) -> bool:
    """Start a part, if it does not run; True when it was started. Returns at once."""
    if running(state, part.name):
        return False
    if part.port is not None and answers(part.port):
        raise PartFailed(
            f"Port {part.port} is taken by another program: end that, or set"
            f" {part.port_variable} to a free port."
        )
    (state / "logs").mkdir(parents=True, exist_ok=True)
    with log_path(state, part.name).open("ab") as log:
        process = subprocess.Popen(
            part.command,
            env=dict(part.environment),
            cwd=state,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    note = {"pid": process.pid, "began": psutil.Process(process.pid).create_time()}
    (state / f"{part.name}.pid").write_text(json.dumps(note))
    return True


def wait_until_ready(state: Path, part: Part) -> None:
    """Return when the part is ready; PartFailed when it ended or took too long."""
    deadline = time.monotonic() + part.deadline
    while not part.ready():
        if running(state, part.name) is None:
            raise PartFailed(f"{part.name} ended while starting: see {log_path(state, part.name)}.")
        if time.monotonic() > deadline:
            raise PartFailed(
                f"{part.name} was not ready after {part.deadline:.0f} seconds: see"
                f" {log_path(state, part.name)}."
            )
        time.sleep(0.2)


def wait_until_gone(state: Path, part: Part) -> None:
    """Return when a part that does one thing has done it; PartFailed when it failed or took too
    long."""
    process = running(state, part.name)
    try:
        code = process.wait(part.deadline) if process else 0
    except psutil.TimeoutExpired:
        code = None
    end(state, part.name)
    if code != 0:
        raise PartFailed(f"{part.name} failed: see {log_path(state, part.name)}.")


def end(state: Path, name: str) -> None:
    """End our process of that name with all that it started."""
    process = running(state, name)
    if process is not None:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        psutil.wait_procs([process], timeout=POLITE_SECONDS)
        for member in family:
            _kill(member)
    (state / f"{name}.pid").unlink(missing_ok=True)


def log_path(state: Path, name: str) -> Path:
    """Where a part writes what it says."""
    return state / "logs" / f"{name}.log"


def answers(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def responds(address: str) -> bool:
    """Whether a web server answers there, whatever it says."""
    try:
        httpx.get(address, timeout=2, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def program(name: str) -> Path:
    """A program of this Python's environment."""
    return Path(sys.executable).with_name(name)


def free_ports(start: int, count: int, *, also: int = 0) -> list[int]:
    """The first free ports from `start` upward, for which the port `also` higher is free too."""
    free = (
        port
        for port in range(start, 65_536 - also)
        if _free(port) and (not also or _free(port + also))
    )
    if len(found := list(islice(free, count))) < count:
        raise PartFailed(
            f"Too few ports from {start} upward are free on this machine: end some programs."
        )
    return found


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _kill(process: psutil.Process) -> None:
    """End a process for good, unless it is gone; psutil looks at the moment it began, too."""
    try:
        process.kill()
        process.wait(5)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired, ChildProcessError):
        pass
