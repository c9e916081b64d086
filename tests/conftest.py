"""The real parts for tests that need them, on free ports, stopped afterwards."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmsearch_core.settings import Settings
from tests.servers import Sqs, running, running_sqs

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads and the servers' would wait for each other


@dataclass(frozen=True)
class Servers:
    """SeaweedFS and Milvus Lite, running; ``settings`` point at them and at a ledger of their own."""

    state: Path
    settings: Settings


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Started once for all tests."""
    state = tmp_path_factory.mktemp("servers")
    with running(state) as settings:
        yield Servers(state=state, settings=settings)


@pytest.fixture(scope="session")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqs]:
    """Started once for all tests."""
    with running_sqs(tmp_path_factory.mktemp("sqs")) as running_one:
        yield running_one
