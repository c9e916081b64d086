"""The page of a run, for the morning after: whether it was good, what was done, what failed and
why, what was checked. One HTML file that needs nothing from elsewhere; the same facts lie beside it
as JSON."""

import base64
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import PreconditionFailed, TryLater
from mmsearch_core.layout import facts_key, latest_key, page_key
from mmsearch_core.ports.stores import ObjectStore

# said elsewhere
SHOWN = (
    "tiles",
    "kind_columns",
    "stage_order",
    "foot",
    "beside",
    "shown",
    "planned_at",
    "notes",
)
TIMING = ("seconds", "took")
Verdict = Literal["good", "look", "bad"]
WORST_FIRST: Sequence[Verdict] = ("bad", "look", "good")
NIGHT, NIGHT_END = "<!--the night's other batches-->", "<!--end of the night's other batches-->"
NIGHT_LASTS = timedelta(hours=24)
MOST = 100  # batches of a night that are named
# of writing what the night's batches all write; seconds between them, more each time
TRIES, PAUSE = (
    8,
    0.1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that holds after every run, and what was found."""

    name: str
    held: bool
    found: str


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


def write(work: ObjectStore, report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Write ``report`` (a batch's facts, of the line it names) as page and as JSON; returns the
    page's address. ``pictures`` are the JPEGs that the report's ``picture`` fields name."""
    batch, now = str(report["batch"]), datetime.now(UTC).replace(microsecond=0)
    facts = {
        **report,
        "made_at": now.isoformat(),
        "checks": [asdict(check) for check in report["checks"]],
    }
    kept = {name: fact for name, fact in facts.items() if name not in (*SHOWN, *TIMING)}
    work.put(
        facts_key(batch),
        to_json(kept | {"timing": {name: facts[name] for name in TIMING}}),
    )
    closed = ClosedBatch(
        batch=batch,
        verdict=report["verdict"],
        headline=report["headline"],
        source=report["source"],
        planned_at=report["planned_at"],
        made_at=now,
    )
    newest = _remember(work, report["line"], closed)
    work.put(page_key(batch), with_night(render(facts, pictures), batch, newest.batches).encode())
    if newest.batch != batch and (data := work.get(newest.page)):
        work.put(newest.page, with_night(data.decode(), newest.batch, newest.batches).encode())
    return f"s3://{work.bucket}/{page_key(batch)}"


def render(facts: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The page. Keys and messages come from outside: everything is escaped, and no script may
    run."""
    inline = {
        name: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
        for name, data in pictures.items()
    }
    return str(_template("run.html.jinja").render(facts=facts, pictures=inline))


def with_night(page: str, batch: str, batches: Sequence[ClosedBatch]) -> str:
    """The page of a batch with the other batches of its night on it; a page without room for them
    stays as it is."""
    head, begin, rest = page.partition(NIGHT)
    _, end, tail = rest.partition(NIGHT_END)
    if not end:
        return page
    others = [closed for closed in batches if closed.batch != batch]
    section = str(_template("night.html.jinja").render(others=others))
    return head + begin + section + end + tail


def _template(name: str) -> Any:
    return _environment().get_template(name)


@cache
def _environment() -> Any:
    """One for the process: it keeps the templates that it has compiled."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mmsearch_core.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "duration": _duration, "rate": _rate, "word": _word}
    return environment


def _remember(work: ObjectStore, line: str, closed: ClosedBatch) -> Latest:
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


def _count(number: float) -> str:
    return f"{number:,.0f}".replace(",", "\u202f")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, _ = divmod(round(seconds), 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _rate(done: float, seconds: float) -> str:
    if not done or seconds <= 0:
        return "–"
    rate = done / seconds
    return f"{rate:.2f}" if rate < 1 else f"{rate:.1f}" if rate < 100 else _count(rate)


def _word(name: str) -> str:
    return name.replace("_", " ")
