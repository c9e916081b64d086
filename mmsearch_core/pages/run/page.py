"""The page of a run, for the morning after: whether it was good, what was done, what failed and
why, what was checked. One HTML file that needs nothing from elsewhere; the same facts lie beside it
as JSON."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.layout import facts_key, page_key
from mmsearch_core.pages.run.facts import Facts, Shown
from mmsearch_core.pages.run.night import ClosedBatch, remember
from mmsearch_core.ports.stores import ObjectStore

NIGHT, NIGHT_END = "<!--the night's other batches-->", "<!--end of the night's other batches-->"


def write(work: ObjectStore, shown: Shown, pictures: Mapping[str, bytes]) -> str:
    """Write the page of a batch, and its facts as JSON; returns the page's address. ``pictures``
    are the JPEGs that the facts' ``picture`` fields name."""
    facts, batch = shown.facts, shown.facts.report.batch
    work.put(facts_key(batch), to_json(facts))
    closed = ClosedBatch(
        batch=batch,
        verdict=facts.verdict,
        headline=facts.headline,
        source=facts.source,
        planned_at=facts.planned_at,
        made_at=facts.made_at,
    )
    newest = remember(work, facts.line, closed)
    page = with_night(render(shown, pictures), batch, newest.batches)
    work.put(page_key(batch), page.encode())
    if newest.batch != batch and (data := work.get(newest.page)):
        work.put(newest.page, with_night(data.decode(), newest.batch, newest.batches).encode())
    return f"s3://{work.bucket}/{page_key(batch)}"


def read_facts(work: ObjectStore, batch: str) -> Facts | None:
    """The facts of a batch's page; None where there are none, or another version wrote them."""
    data = work.get(facts_key(batch))
    try:
        return from_json(data, Facts) if data else None
    except ValueError:
        return None


def render(shown: Shown, pictures: Mapping[str, bytes]) -> str:
    """The page. Keys and messages come from outside: everything is escaped, and no script may
    run."""
    inline = {
        name: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
        for name, data in pictures.items()
    }
    return str(_template("run.html.jinja").render(shown=shown, facts=shown.facts, pictures=inline))


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
