"""Real processes on the real parts: killed, stopped, doubled, and left without a server."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psutil
import pytest

from mmsearch_core.demo import processes, stack
from mmsearch_core.demo.environment import Ports
from tests.conftest import Servers
from tests.patience import until
from tests.proof.processes import AGAIN, LATE, Line, send, stir
from tests.proof.real import fresh, settings_for
from tests.proof.shop import Shop

pytestmark = pytest.mark.integration
LEASE = 1.5  # seconds: renewed three times in that, by a process that gets any time at all
PATIENT_LEASE = 30  # where nobody dies: on a slow machine the writer's, renewed by steps, ran out


@pytest.fixture(scope="module")
def line(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A shop that has settled."""
    with a_line(servers, tmp_path_factory.mktemp("processes"), seed=1) as line:
        yield line


@contextmanager
def a_line(servers: Servers, folder: Path, seed: int) -> Iterator[Line]:
    alias = f"processes{time.time_ns()}"
    settings = settings_for(
        servers.settings, folder, alias, shards={"size": 100, "lease_seconds": LEASE}
    )
    shop = Shop(fresh(settings))
    stir(shop, random.Random(seed))
    line = Line(settings, folder, shop, seed)
    line.night(line.run)
    shop.settle()
    yield line
    shop.runtime.index.drop(shop.runtime.target().collection)


@contextmanager
def leases_of(line: Line, seconds: float) -> Iterator[None]:
    """The processes that start meanwhile have leases of so many seconds."""
    before = line.settings
    shards = before.shards.model_copy(update={"lease_seconds": seconds})
    line.settings = before.model_copy(update={"shards": shards})
    try:
        yield
    finally:
        line.settings = before


def kill_many(line: Line, kills: int) -> int:
    """Nights of changes in which each process is killed and retried; how many were killed in
    time."""
    while line.kills < kills:
        stir(line.shop, line.random)
        line.night(line.kill_then_run)
        line.shop.look()
        line.shop.settle()
    return line.kills


def test_kill_9_at_random_moments(line: Line) -> None:
    """A dozen; the soak does hundreds."""
    assert kill_many(line, 12) >= 12


@pytest.mark.parametrize("name", ["store", "index"])
def test_a_server_that_is_killed_and_comes_back(line: Line, servers: Servers, name: str) -> None:
    """Whoever needs it meanwhile is told to try later, and the retry ends true."""
    assert AGAIN in without_server(line, servers, name)


def without_server(line: Line, servers: Servers, name: str) -> list[int]:
    """Nights until a stage had to do without the server, which dies at some moment of it; the exit
    codes."""
    codes: list[int] = []
    part = part_of(servers, name)

    def run(stage: str, *arguments: str) -> None:
        child = line.start(stage, *arguments)
        time.sleep(line.random.uniform(0, line.seconds.get(stage, 0.5)))
        server = processes.running(servers.state, name)
        assert server is not None
        server.kill()
        server.wait(10)
        try:
            during, after = line.end(child), line.end(line.start(stage, *arguments))
        finally:
            processes.start(servers.state, part)
            processes.wait_until_ready(servers.state, part)
        assert during in (0, AGAIN), line.log.read_text()[-2000:]
        # who finds its work done before needs no index
        assert after == AGAIN or (during, name) == (0, "index"), line.log.read_text()[-2000:]
        codes.extend((during, after))
        line.run(stage, *arguments)

    while AGAIN not in codes:  # a night may have nothing to write, or have written it by then
        stir(line.shop, line.random)
        line.night(run, only=("upsert",))
        line.shop.look()
        line.shop.settle()
    return codes


def part_of(servers: Servers, name: str) -> processes.Part:
    """The server as it was started, on the same port."""
    addresses = (servers.settings.store.endpoint, servers.settings.index.uri)
    s3, milvus = (int(str(address).rpartition(":")[2]) for address in addresses)
    used, own = Ports(s3=s3, milvus=milvus), stack.inherited()
    return (
        stack.store_part(servers.state, used, own)
        if name == "store"
        else stack.index_part(used, own)
    )


def test_two_processes_on_one_shard(line: Line) -> None:
    """One works, the other waits, or comes again: the outcome is one run's."""
    run_twice(line)


def run_twice(line: Line) -> None:
    """A night in which every process is started twice."""

    def run(stage: str, *arguments: str) -> None:
        children = [line.start(stage, *arguments) for _ in range(2)]
        codes = {line.end(child) for child in children}
        assert 0 in codes, line.log.read_text()[-2000:]
        assert codes <= {0, AGAIN}
        line.run(stage, *arguments)

    stir(line.shop, line.random)
    with leases_of(line, PATIENT_LEASE):
        line.night(run)
    line.shop.look()
    line.shop.settle()


def test_a_process_that_was_stopped_goes_on_after_its_lease_was_taken(line: Line) -> None:
    """SIGSTOP at random moments of upsert; meanwhile another does the shard, and the world goes
    on."""
    stop_many(line, 2)


def stopped_outside_of_a_transaction(line: Line, child: ForkServerProcess) -> bool:
    """Stop the process, but not within a transaction on SQLite: that would hold the ledger's file,
    and with it everybody, for as long as it sleeps. Whether it was still there."""
    while send(child, signal.SIGSTOP):
        until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED, "stopped")
        if not line.ledger_is_locked():
            return True
        line.in_transaction += 1
        send(child, signal.SIGCONT)
        time.sleep(0.005)
    return False


def stop_many(line: Line, stops: int) -> int:
    """Nights in which an upsert is stopped and wakes when all has gone on without it; how many
    were."""
    stopped = 0
    while stopped < stops:
        sleepers: list[tuple[str, Callable[[], int]]] = []

        def run(stage: str, *arguments: str) -> None:
            child = line.start(stage, *arguments)
            time.sleep(line.random.uniform(0.2, 1) * line.seconds.get(stage, 0.5))
            if stopped_outside_of_a_transaction(line, child):

                def wake() -> int:
                    os.kill(child.pid or 0, signal.SIGCONT)
                    return line.end(child)

                sleepers.append((stage, wake))  # noqa: B023
            line.run(stage, *arguments)

        stir(line.shop, line.random)
        line.night(run, only=("upsert",))
        stir(line.shop, line.random)
        line.shop.settle()
        for stage, wake in sleepers:
            assert wake() in (0, AGAIN, LATE), stage
            stopped += 1
        line.shop.look()
        time.sleep(LEASE)  # until the sleeper's own leases have run out
        line.shop.settle()
    print(f"  within a transaction: {line.in_transaction}", flush=True)
    return stopped
