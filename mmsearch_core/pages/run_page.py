"""The page of a run, for the morning after: whether it was good, what was done, what failed and why, what was checked.
One HTML file that needs nothing from elsewhere; the same facts lie beside it as JSON."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.ports import ObjectStore

SHOWN = ("tiles", "kind_columns", "stage_order", "foot", "beside", "shown")  # said elsewhere in the report
TIMING = ("seconds", "took")
Verdict = Literal["good", "look", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that holds after every run, and what was found."""

    name: str
    held: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The newest page of a line, so that nobody has to search for it."""

    line: str
    batch: str
    page: str  # its key
    verdict: Verdict
    headline: str
    made_at: datetime


def page_key(batch: str) -> str:
    """Where a batch's page lies."""
    return f"runs/{batch}/report.html"


def latest(work: ObjectStore, line: str) -> Latest | None:
    """The newest page of the line ("index" or "search")."""
    data = work.get(_latest_key(line))
    return from_json(data, Latest) if data else None


def verdict(checks: Sequence[Check], *, failed: int, error: Exception | None) -> Verdict:
    """Bad if a check did not hold or the run stopped; worth a look if anything failed."""
    if error or not all(check.held for check in checks):
        return "bad"
    return "look" if failed else "good"


def write(work: ObjectStore, report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Write ``report`` (a batch's facts, of the line it names) as page and as JSON; returns the page's address.
    ``pictures`` are the JPEGs that the report's ``picture`` fields name."""
    batch, now = str(report["batch"]), datetime.now(UTC).replace(microsecond=0)
    facts = {**report, "made_at": now.isoformat(), "checks": [asdict(check) for check in report["checks"]]}
    kept = {name: fact for name, fact in facts.items() if name not in (*SHOWN, *TIMING)}
    work.put(f"runs/{batch}/report.json", to_json(kept | {"timing": {name: facts[name] for name in TIMING}}))
    work.put(page_key(batch), render(facts, pictures).encode())
    newest = Latest(
        line=report["line"],
        batch=batch,
        page=page_key(batch),
        verdict=report["verdict"],
        headline=report["headline"],
        made_at=now,
    )
    work.put(_latest_key(report["line"]), to_json(newest))
    return f"s3://{work.bucket}/{page_key(batch)}"


def render(facts: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The page. Keys and messages come from outside: everything is escaped, and no script may run."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mmsearch_core.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "duration": _duration, "rate": _rate, "word": _word}
    inline = {name: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" for name, data in pictures.items()}
    return environment.get_template("run.html.jinja").render(facts=facts, pictures=inline)


def _latest_key(line: str) -> str:
    return f"runs/latest.{line}.json"


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
