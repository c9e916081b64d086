"""await_index: results are worked out from a whole index. Waits until the batches that tonight's
comparison handed out are done, and no longer than a shop can wait for its results: then the search
line goes on, and says so."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from mmsearch_core.errors import BadSettings, IndexIncomplete, StageMissing
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.records.batch import OpenBatch
from mmsearch_core.records.report import AwaitReport
from mmsearch_core.records.target import Target
from mmsearch_core.settings import Search
from mmsearch_core.shards.targets import lacks

log = structlog.get_logger()

POLL_SECONDS = 20
TRY_SECONDS = 2_700  # that one process waits: less than its scheduler allows it
# older batches were handed out by no comparison of tonight, and nobody may come for them
NIGHT = timedelta(days=1)


def run(
    *,
    since: datetime,
    ledger: Ledger,
    settings: Search,
    sleep: Callable[[float], None] = time.sleep,
) -> AwaitReport:
    """Wait, and return the task's report; ``incomplete`` says that the deadline came first.

    :param since: when the run began that waits: the deadline is ``search.await_minutes`` later,
        however often it is tried.
    :raises IndexIncomplete: when this try has waited for long enough, and the deadline has not
        come.
    :raises StageMissing: when there is no index, and none is being built or the deadline has come.
    """
    now = datetime.now(UTC)
    began = min(since, now)  # a clock may have been ahead
    left = (began + timedelta(minutes=settings.await_minutes) - now).total_seconds()
    try_ends = time.monotonic() + min(left, TRY_SECONDS)
    while batches := _unfinished(ledger, began - NIGHT):
        if time.monotonic() + POLL_SECONDS > try_ends:
            break
        log.info("await_index.waits", batches=len(batches))
        sleep(POLL_SECONDS)
    if batches and left > TRY_SECONDS:
        raise IndexIncomplete(f"{_named(batches)}: waiting goes on with the next try.")
    missing = _unfinished(ledger)
    if _live(ledger) is None:
        why = f"{_named(missing)}: look at their runs" if missing else "run catalog_refresh first"
        raise StageMissing(f"There is no index yet: {why}.")
    log.info("await_index.done", incomplete=bool(missing))
    return AwaitReport(incomplete=bool(missing), unfinished_batches=len(missing))


def read_moment(text: str) -> datetime:
    """A moment as a scheduler writes it; now, where it wrote none."""
    if text in ("", "None"):
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadSettings(
            f"--since {text!r} is no moment: write it like 2026-11-23T04:00:00+00:00."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _live(ledger: Ledger) -> Target | None:
    return next((target for target in ledger.targets() if target.status == "live"), None)


def _unfinished(ledger: Ledger, since: datetime | None = None) -> list[OpenBatch]:
    """What the index that is searched lacks; before the first one is searched, what any lacks."""
    live = _live(ledger)
    targets = [live] if live else ledger.targets()
    batches = [batch for target in targets for batch in lacks(ledger, target.target_id)]
    return [batch for batch in batches if since is None or batch.opened_at >= since]


def _named(batches: list[OpenBatch]) -> str:
    names = ", ".join(batch.batch for batch in batches[:3])
    return (
        f"{len(batches)} batches of the index are not done"
        f" ({names}{', …' if len(batches) > 3 else ''})"
    )
