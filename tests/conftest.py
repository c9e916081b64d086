"""The real parts for tests that need them, on free ports, stopped afterwards."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmsearch_core.demo import processes, stack
from mmsearch_core.demo.environment import Ports, mmsearch_settings, prepare
from mmsearch_core.settings import Settings

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
    with pytest.MonkeyPatch.context() as patch:
        s3, milvus = processes.free_ports(25_000, 1) + processes.free_ports(27_000, 1)
        patch.setenv("MMSEARCH_DEMO_S3_PORT", str(s3))
        patch.setenv("MMSEARCH_DEMO_MILVUS_PORT", str(milvus))
        prepare(state)
        used = Ports(s3=s3, milvus=milvus)
        own = stack.inherited()
        parts = (stack.store_part(state, used, own), stack.index_part(used, own))
        try:
            for part in parts:
                processes.start(state, part)
            for part in parts:
                processes.wait_until_ready(state, part)
            yield Servers(state=state, settings=Settings.model_validate(mmsearch_settings(state)))
        finally:
            for part in parts:
                processes.end(state, part.name)
