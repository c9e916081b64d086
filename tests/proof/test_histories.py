"""The index equals the bucket after any history, and no reader sees a hole on the way."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.proof.histories import History

QUIET = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def test_histories_on_fakes() -> None:
    """The ledger is the real one, in memory."""
    run_state_machine_as_test(History, settings=settings(QUIET, max_examples=50, stateful_step_count=25))
