"""The real parts for tests that need them, on free ports, stopped afterwards."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from mmsearch_core.settings import Settings
from tests import postgres as postgres_server
from tests.servers import Sqs, running, running_sqs

# torch's threads and the servers' would wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")


@dataclass(frozen=True)
class Servers:
    """SeaweedFS and Milvus Lite, running; ``settings`` point at them and at a ledger of their
    own."""

    state: Path
    settings: Settings


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Started once for all tests."""
    state = tmp_path_factory.mktemp("servers")
    with running(state) as settings:
        yield Servers(state=state, settings=settings)


ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)]


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each engine that the ledger can use."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return str(request.getfixturevalue("postgres").database())


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Postgres]:
    """A real PostgreSQL, started by the first test that asks for a database."""
    with postgres_server.running() as server:
        yield server


@pytest.fixture(scope="session")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqs]:
    """Started once for all tests."""
    with running_sqs(tmp_path_factory.mktemp("sqs")) as running_one:
        yield running_one


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Tests of a file run in one process, which keeps its servers; those of the whole stack share
    one."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "tests/scheduler" if file.startswith("tests/scheduler/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """What `pytest --dist loadfile` goes by."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None
