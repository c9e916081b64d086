"""The index equals the bucket after any history, and no reader sees a hole on the way."""

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from mmsearch_core.wiring.batches import Runtime
from tests.conftest import Servers
from tests.proof.histories import GUARDED, SHARDS, History
from tests.proof.real import BUCKETS, fresh, settings_for

# the same histories every time; the soak takes others. Shortening a failing one is for people: drop
# `phases`
FIXED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.exhaustive
def test_histories_on_fakes() -> None:
    """The ledger is the real one, in memory."""
    run_state_machine_as_test(
        History, settings=settings(FIXED, max_examples=20, stateful_step_count=25)
    )


@pytest.mark.integration
def test_histories_on_the_real_parts(servers: Servers, tmp_path: Path) -> None:
    """SeaweedFS, Milvus Lite behind its server, a SQLite file."""
    run_state_machine_as_test(
        on_real_parts(servers, tmp_path),
        settings=settings(FIXED, max_examples=4, stateful_step_count=12),
    )


def on_real_parts(servers: Servers, folder: Path) -> type[History]:
    """Histories that each begin in empty buckets, with a ledger and an alias of their own."""
    numbers = itertools.count()

    def make() -> Runtime:
        catalog = BUCKETS["catalog"] | GUARDED
        name = f"history{next(numbers)}"
        return fresh(settings_for(servers.settings, folder, name, shards=SHARDS, catalog=catalog))

    class RealHistory(History):
        def teardown(self) -> None:
            super().teardown()
            self.shop.runtime.index.drop(self.shop.runtime.target().collection)

    RealHistory.make = staticmethod(make)
    return RealHistory
