"""How a stage is started and what its operator can do with it then. A container or a pod would be
another `start`."""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

KEEPER = Path(__file__).with_name("keeper.py")
GRACE_SECONDS = 4  # one more than the keeper takes
Stream = Literal["stdout", "stderr"]


class Child:
    """A stage that runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def lines(self) -> Iterator[tuple[Stream, str]]:
        """Every line of both streams as it comes, until both are closed or the stage is gone."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        rest = {"stdout": b"", "stderr": b""}
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ, "stdout")
            selector.register(self._process.stderr, selectors.EVENT_READ, "stderr")
            while selector.get_map():
                ready = selector.select(timeout=1)
                if not ready and self._process.poll() is not None:
                    break  # a process that outlived the stage holds the streams
                for key, _ in ready:
                    if not (data := os.read(key.fd, 65_536)):
                        selector.unregister(key.fileobj)
                    *whole, rest[key.data] = (rest[key.data] + data).split(b"\n")
                    yield from ((key.data, _text(line)) for line in whole)
        yield from ((stream, _text(line)) for stream, line in rest.items() if line)  # type: ignore[misc]

    def wait(self) -> int:
        """The exit code; negative when a signal ended it."""
        with self._process:
            return self._process.wait()

    def end(self) -> None:
        """End the stage and all that it started: politely, then not. Nothing happens when it is
        gone."""
        if self._process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts stages with a Python interpreter of this machine, in the folder that holds `tasks`."""

    python: str
    home: Path

    @classmethod
    def from_environment(cls) -> "Launcher":
        """`MMSEARCH_PYTHON` may name another environment's interpreter, `MMSEARCH_HOME` another
        folder than ours."""
        home = os.environ.get("MMSEARCH_HOME") or Path(__file__).parents[2]
        return cls(python=os.environ.get("MMSEARCH_PYTHON") or sys.executable, home=Path(home))

    def command(self, stage: str, arguments: Sequence[str] = ()) -> list[str]:
        """`python -m tasks.<stage> …` behind its keeper."""
        keeper = [sys.executable, "-I", "-S", str(KEEPER), str(os.getpid())]
        return [*keeper, self.python, "-m", f"tasks.{stage}", *arguments]

    def environment(self) -> dict[str, str]:
        """Our environment without Airflow's own settings and secrets."""
        ours = {
            name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")
        }
        return ours | {"PYTHONUNBUFFERED": "1"}

    def start(self, stage: str, arguments: Sequence[str]) -> Child:
        """Start a stage."""
        process = subprocess.Popen(
            self.command(stage, arguments),
            cwd=self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        return Child(process)


def _text(line: bytes) -> str:
    """A line as text; of a progress bar drawn over itself, the last state."""
    return line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
