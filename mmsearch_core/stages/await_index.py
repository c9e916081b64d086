"""await_index: results are worked out from a whole index. Waits until the batches that tonight's comparison handed out
are done, and no longer than a shop can wait for its results: then the search line goes on, and says so."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from mmsearch_core.errors import BadSettings, IndexIncomplete, StageMissing
from mmsearch_core.ports import Ledger
from mmsearch_core.records.run import OpenBatch, Target
from mmsearch_core.settings import Search
from mmsearch_core.targets import lacks

log = structlog.get_logger()

POLL_SECONDS = 20
TRY_SECONDS = 2_700  # that one process waits: less than its scheduler allows it


def run(
    *, since: datetime, ledger: Ledger, settings: Search, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Wait, and return the task's report; ``incomplete`` says that the deadline came first.

    :param since: when the run began that waits: the deadline is ``search.await_minutes`` later, however often it is
        tried.
    :raises IndexIncomplete: when this try has waited for long enough, and the deadline has not come.
    :raises StageMissing: when there is no index, and none is being built or the deadline has come.
    """
    now = datetime.now(UTC)
    waits = timedelta(minutes=settings.await_minutes)
    left = (min(since, now) + waits - now).total_seconds()  # a clock may have been ahead
    try_ends = time.monotonic() + min(left, TRY_SECONDS)
    while batches := _missing(ledger):
        if time.monotonic() + POLL_SECONDS > try_ends:
            return _too_late(batches, ledger, given_up=left <= TRY_SECONDS)
        log.info("await_index.waits", batches=len(batches))
        sleep(POLL_SECONDS)
    if _live(ledger) is None:
        raise StageMissing("There is no index yet: run catalog_refresh first.")
    log.info("await_index.done")
    return {"stage": "await_index", "incomplete": False, "unfinished_batches": 0}


def read_moment(text: str) -> datetime:
    """A moment as a scheduler writes it; now, where it wrote none."""
    if text in ("", "None"):
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadSettings(f"--since {text!r} is no moment: write it like 2026-11-23T04:00:00+00:00.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _live(ledger: Ledger) -> Target | None:
    return next((target for target in ledger.targets() if target.status == "live"), None)


def _missing(ledger: Ledger) -> list[OpenBatch]:
    """What the index that is searched lacks; before the first one is searched, what any lacks."""
    live = _live(ledger)
    targets = [live] if live else ledger.targets()
    return [batch for target in targets for batch in lacks(ledger, target.target_id)]


def _too_late(batches: list[OpenBatch], ledger: Ledger, *, given_up: bool) -> dict[str, Any]:
    names = ", ".join(batch.batch for batch in batches[:3])
    missing = f"{len(batches)} batches of the index are not done ({names}…)"
    if not given_up:
        raise IndexIncomplete(f"{missing}: waiting goes on with the next try.")
    if _live(ledger) is None:
        raise StageMissing(f"There is no index yet, and {missing}: look at their runs, then run precompute_results.")
    log.warning("await_index.incomplete", batches=len(batches), such_as=names)
    return {"stage": "await_index", "incomplete": True, "unfinished_batches": len(batches)}
