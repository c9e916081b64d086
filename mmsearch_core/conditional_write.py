"""Read, change and write back an object that others write too: a conditional write that lost is
tried again, a few times and with pauses. A store whose conditions never hold (a proxy that rewrites
ETags) must not keep a task busy."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from mmsearch_core.errors import Busy, PreconditionFailed

T = TypeVar("T")

ATTEMPTS = 10
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5  # seconds; random, so that two writers do not stay in step


def until_written(attempt: Callable[[], T], *, key: str) -> T:
    """Call ``attempt`` until it does not lose.

    :param attempt: reads the object at ``key``, and writes it on the condition that it is still
        what was read.
    :param key: names the object in the error.
    :raises Busy: each of ``ATTEMPTS`` attempts raised PreconditionFailed.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(PreconditionFailed),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(FIRST_PAUSE, max=LONGEST_PAUSE),
        reraise=True,
    )
    try:
        return attempts(attempt)
    except PreconditionFailed as error:
        raise Busy(
            f"{key} could not be written in {ATTEMPTS} attempts, since others write it or the"
            " store's conditions never hold: try again later."
        ) from error
