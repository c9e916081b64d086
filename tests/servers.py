"""SeaweedFS and Milvus Lite on free ports, for tests and benchmarks; ended afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmsearch_core.demo import processes, stack
from mmsearch_core.demo.environment import Ports, mmsearch_settings, prepare
from mmsearch_core.settings import Settings


@contextmanager
def running(state: Path) -> Iterator[Settings]:
    """Settings that point at them and at a ledger of their own, all under ``state``."""
    used = Ports(s3=processes.free_ports(25_000, 1)[0], milvus=processes.free_ports(27_000, 1)[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMSEARCH_DEMO_S3_PORT", str(used.s3))
        patch.setenv("MMSEARCH_DEMO_MILVUS_PORT", str(used.milvus))
        prepare(state)
        own = stack.inherited()
        parts = [stack.store_part(state, used, own), stack.index_part(used, own)]
        try:
            for part in parts:
                processes.start(state, part)
            for part in parts:
                processes.wait_until_ready(state, part)
            yield Settings.model_validate(mmsearch_settings(state))
        finally:
            for part in parts:
                processes.end(state, part.name)
