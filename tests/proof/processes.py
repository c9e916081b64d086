"""Stages as real processes, on the real parts: `python -m tasks.<stage>` but for its models, which
answer at once.

Each is forked off a server that has loaded everything and opened nothing, so that a process costs
milliseconds."""

import multiprocessing
import os
import random
import runpy
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from mmsearch_core.settings import Settings
from tests.line import INDEX
from tests.patience import PATIENCE
from tests.proof.oracle import CONTENTS
from tests.proof.real import process
from tests.proof.shop import Shop

LOADED = [
    "boto3",
    "pymilvus",
    "duckdb",
    "pyarrow.parquet",
    "sqlalchemy",
    "PIL.Image",
    "pymupdf",
    "av",
    "decord",
    "scenedetect.detectors",
    "tests.proof.processes",
]
AGAIN, LATE = 75, 78


def main(settings: Settings, log: str, stage: str, *arguments: str) -> None:
    """What the child does."""
    from tasks import _command

    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    setattr(_command, "load_settings", lambda: settings)  # noqa: B010 names of another module
    setattr(_command, "Runtime", process)  # noqa: B010
    sys.argv = [stage, *arguments]
    runpy.run_module(f"tasks.{stage}", run_name="__main__")


def send(child: ForkServerProcess, number: signal.Signals) -> bool:
    """Whether the child was still there to be signalled."""
    if child.exitcode is not None:
        return False
    try:
        os.kill(child.pid or 0, number)
    except ProcessLookupError:  # it ended since
        return False
    return True


class Line:
    """The index line of one shop, a process a step."""

    def __init__(self, settings: Settings, folder: Path, shop: Shop, seed: int) -> None:
        self.settings, self.shop, self.log = settings, shop, folder / "processes.log"
        self.random = random.Random(seed)
        self.seconds: dict[str, float] = {}
        self.kills = self.runs = 0
        self.in_transaction = 0  # processes that were found within one when they were stopped
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(LOADED)

    def ledger_is_locked(self) -> bool:
        """Whether some process writes the ledger's file at this moment."""
        path = self.settings.ledger.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as ledger:
            try:
                ledger.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            ledger.execute("ROLLBACK")
            return False

    def start(self, stage: str, *arguments: str) -> ForkServerProcess:
        child = self._context.Process(
            target=main, args=(self.settings, str(self.log), stage, *arguments)
        )
        child.start()
        return child

    def end(self, child: ForkServerProcess) -> int:
        """The exit code of a child that ends by itself."""
        child.join(PATIENCE)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise AssertionError(f"a process did not end within {PATIENCE} seconds")
        return child.exitcode

    def run(self, stage: str, *arguments: str) -> None:
        """Until it is done, as a scheduler retries: it may be told to come again while a dead one's
        lease runs."""
        deadline = time.monotonic() + PATIENCE
        while True:
            began = time.monotonic()
            code = self.end(self.start(stage, *arguments))
            if code == 0:
                self.seconds[stage] = time.monotonic() - began
                return
            assert code == AGAIN, f"{stage} ended with {code}: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"{stage} is never done"
            time.sleep(0.1)

    def kill_then_run(self, stage: str, *arguments: str) -> None:
        """Kill -9 at a random moment of its time, as far as that is known; then retry."""
        child = self.start(stage, *arguments)
        time.sleep(self.random.uniform(0, self.seconds.get(stage, 0.5)))
        self.kills += send(child, signal.SIGKILL)
        child.join()
        self.run(stage, *arguments)

    def night(self, run: Callable[..., None], only: tuple[str, ...] = ()) -> None:
        """Compare to close; ``run`` does the stages in ``only`` (all, if empty), patience the
        others."""

        def step(stage: str, *arguments: str) -> None:
            (run if not only or stage in only else self.run)(stage, *arguments)

        self.runs += 1
        name = f"line-{self.runs}"
        step("compare", "--run", name)
        for batch in self.batches(name):
            step("plan", batch)
            for shard in self.shards(batch):
                for stage in INDEX:
                    step(stage, shard)
            step("close", batch)

    def batches(self, run: str) -> list[str]:
        """Found where the next task would be told of them: a retry answers the same."""
        manifests = [
            found.key
            for found in self.shop.runtime.work.list("runs/")
            if found.key.endswith("manifest.json")
        ]
        source = f"compare {run}".encode()
        return sorted(
            key.split("/")[1]
            for key in manifests
            if source in (self.shop.runtime.work.get(key) or b"")
        )

    def shards(self, batch: str) -> list[str]:
        listed = self.shop.runtime.work.list(f"runs/{batch}/shards/")
        return sorted({"/".join(found.key.split("/")[:4]) for found in listed})


def stir(shop: Shop, dice: random.Random) -> None:
    """Some changes to a shop: there is always something to do."""
    for _ in range(3):
        name = dice.choice(("a.jpg", "b.jpg", "c.pdf", "d.mp4"))
        key = f"pictures/p{dice.randint(1, 4)}/{name}"
        if dice.random() < 0.7:
            shop.put(key, dice.choice(CONTENTS[key[-4:]]))
        else:
            shop.remove(key)
    if len(shop.feed) > 2 and dice.random() < 0.3:
        shop.drop_product(dice.choice(sorted(shop.feed)))
    else:
        shop.set_product(f"p{dice.randint(1, 4)}", title=f"Title {dice.randint(1, 99)}")
