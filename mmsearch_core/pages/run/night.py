"""The batches of a night, and which of their pages a person has to see first."""

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import PreconditionFailed, TryLater
from mmsearch_core.layout import latest_key, page_key
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.report import Check

Verdict = Literal["good", "look", "bad"]
WORST_FIRST: Sequence[Verdict] = ("bad", "look", "good")
NIGHT_LASTS = timedelta(hours=24)
MOST = 100  # batches of a night that are named
TRIES = 8  # of writing what the night's batches all write
PAUSE = 0.1  # seconds between them, more each time


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedBatch:
    """How a batch ended. ``source`` is who asked for it, ``planned_at`` when its objects were
    looked at."""

    batch: str
    verdict: Verdict
    headline: str
    source: str
    planned_at: datetime
    made_at: datetime  # when it was closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The page of a line that a person has to see first: of all batches of the night the worst, of
    equals the newest. ``batches`` are all of them, in this order."""

    line: str
    batch: str
    page: str  # its key
    verdict: Verdict
    headline: str
    made_at: datetime
    batches: tuple[ClosedBatch, ...] = ()

    @property
    def newest(self) -> str:
        """The batch that was closed last."""
        return (
            max(self.batches, key=lambda closed: closed.made_at).batch
            if self.batches
            else self.batch
        )


def latest(work: ObjectStore, line: str) -> Latest | None:
    """The page of the line ("index" or "search") to look at; None before there is one."""
    data = work.get(latest_key(line))
    return _parsed(data) if data else None


def verdict(checks: Sequence[Check], *, failed: int, error: Exception | None) -> Verdict:
    """Bad if a check did not hold or the run stopped; worth a look if anything failed."""
    if error or not all(check.held for check in checks):
        return "bad"
    return "look" if failed else "good"


def remember(work: ObjectStore, line: str, closed: ClosedBatch) -> Latest:
    """Put the batch among those of its night; other batches may be closed at the same moment."""
    key = latest_key(line)
    for attempt in range(TRIES):
        there = work.head(key)
        with suppress(PreconditionFailed):
            data = work.get(key, if_match=there.etag) if there else None
            newest = _latest(line, closed, _parsed(data) if data else None)
            # better the entry of another batch lost than no page of this one
            last = attempt == TRIES - 1
            condition = (
                {} if last else {"if_match": there.etag} if there else {"if_none_match": True}
            )
            work.put(key, to_json(newest), **condition)
            return newest
        time.sleep(random.uniform(0, PAUSE * (attempt + 1)))  # noqa: S311 no secret
    raise TryLater(f"Others write {key} all the time: try again.")


def _latest(line: str, closed: ClosedBatch, before: Latest | None) -> Latest:
    known = before.batches if before else ()
    # a night's results replace the last one's
    batches = of_one_night(known, closed) if line == "index" else (closed,)
    worst = batches[0]
    return Latest(
        line=line,
        batch=worst.batch,
        page=page_key(worst.batch),
        verdict=worst.verdict,
        headline=worst.headline,
        made_at=worst.made_at,
        batches=batches,
    )


def of_one_night(known: Sequence[ClosedBatch], closed: ClosedBatch) -> tuple[ClosedBatch, ...]:
    """``closed`` and those of the ``known`` batches that are of the same night, worst first, of
    equals the newest.

    A night lasts a day, unless a comparison of the whole catalog was planned in it: what older
    batches left undone is in the batches of that comparison.
    """
    batches = [*(batch for batch in known if batch.batch != closed.batch), closed]
    newest = max(batch.made_at for batch in batches)
    batches = [batch for batch in batches if batch.made_at > newest - NIGHT_LASTS]
    comparisons = [batch for batch in batches if batch.source.startswith("compare ")]
    if comparisons:
        last = max(comparisons, key=lambda batch: batch.planned_at).source
        began = min(batch.planned_at for batch in comparisons if batch.source == last)
        batches = [batch for batch in batches if batch.source == last or batch.planned_at >= began]
    order = sorted(batches, key=lambda batch: batch.made_at, reverse=True)
    return tuple(sorted(order, key=lambda batch: WORST_FIRST.index(batch.verdict))[:MOST])


def _parsed(data: bytes) -> Latest | None:
    try:
        return from_json(data, Latest)
    except Exception:  # half an object: the next batch that is closed writes it anew
        return None
