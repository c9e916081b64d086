"""Why a task failed, left in the bucket where its batch or shard lies, so that the page of the run
can say it.

One object per stage: ``<place>/errors/<stage>.json``, of the last attempt that failed. It counts
only while the stage has no report (or the plan stage no plan): what is done well afterwards
supersedes it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.layout import error_key
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.safe_text import printable, redacted

LONGEST = 500  # characters of a sentence
LEAST_SECRET = 4  # characters: a shorter one would blank out half of any text

# what may stand in a message of any library, beside what is in its addresses
_PARAMETER = re.compile(
    r"(?i)\b([\w-]*(?:secret|password|token|signature|credential|api[_-]?key)[\w-]*)(\W{0,3}[=:]\W?)\S+"
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskError:
    """How an attempt of a stage ended: the error's name, its text in one line, the exit code, and
    when."""

    stage: str
    kind: str
    sentence: str
    exit_code: int
    at: datetime


def of_exception(
    error: BaseException, *, stage: str, exit_code: int, secrets: Sequence[str] = ()
) -> TaskError:
    """What is kept of an exception: never its traceback, and nothing of ``secrets``."""
    if isinstance(error, SystemExit):
        kind, text = "SIGTERM", "It was told to end: its time was up, or somebody stopped it."
    else:
        kind, text = type(error).__name__, cleaned(str(error), secrets) or "It says nothing more."
    return TaskError(
        stage=stage, kind=kind, sentence=text, exit_code=exit_code, at=datetime.now(UTC)
    )


def leave(work: ObjectStore, place: str, error: TaskError) -> None:
    """Write the error beside the stage's other files. Never raises: the task has an error to end
    with already."""
    try:
        work.put(error_key(place, error.stage), to_json(error))
    except Exception as trouble:
        log.warning("task_error.not_kept", stage=error.stage, reason=type(trouble).__name__)


def last_error(work: ObjectStore, place: str, stage: str) -> TaskError | None:
    """The last error of a stage, if it left one that can be read."""
    data = work.get(error_key(place, stage))
    try:
        return from_json(data, TaskError) if data else None
    except Exception:  # half an object, or one of another version: the page does without
        return None


def cleaned(text: str, secrets: Sequence[str] = ()) -> str:
    """One line of at most ``LONGEST`` characters, without what cannot be seen and without
    secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***") if len(secret) >= LEAST_SECRET else text
    text = _PARAMETER.sub(r"\1\2***", redacted(text))
    text = printable(" ".join(text.split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
