"""SeaweedFS, Milvus Lite and an SQS on free ports, for tests and benchmarks; ended afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from mmsearch_core.demo import processes, stack
from mmsearch_core.demo.environment import Ports, mmsearch_settings, prepare
from mmsearch_core.demo.queue import ANYBODY, queue_part
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


@dataclass(frozen=True)
class Sqs:
    """moto's server, running; it speaks S3 too, and its buckets notify its queues."""

    address: str
    client: Any
    s3: Any

    def create_queue(self, name: str) -> str:
        """The new queue's URL."""
        return str(self.client.create_queue(QueueName=name)["QueueUrl"])


@contextmanager
def running_sqs(state: Path) -> Iterator[Sqs]:
    """An SQS of its own."""
    used = Ports(queue=processes.free_ports(26_000, 1)[0])
    part, address = queue_part(used, stack.inherited()), f"http://{processes.HOST}:{used.queue}"
    state.mkdir(parents=True, exist_ok=True)
    try:
        processes.start(state, part)
        processes.wait_until_ready(state, part)
        sqs, s3 = (boto3.client(name, endpoint_url=address, **ANYBODY) for name in ("sqs", "s3"))
        yield Sqs(address=address, client=sqs, s3=s3)
    finally:
        processes.end(state, part.name)
