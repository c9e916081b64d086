"""The index equals the bucket after any history, and no reader sees a hole on the way."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

import os
from hypothesis import Phase
N=int(os.environ.get('N','20'))
from tests.proof.histories import History

QUIET = settings(phases=[Phase.generate], deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def test_histories_on_fakes() -> None:
    """The ledger is the real one, in memory."""
    run_state_machine_as_test(History, settings=settings(QUIET, max_examples=N, stateful_step_count=25))
