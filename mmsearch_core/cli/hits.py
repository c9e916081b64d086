"""What was found for one query, as a table for people or as JSON for programs."""

from dataclasses import dataclass

from mmsearch_core.cli.console import cell, show_json
from mmsearch_core.records.ids import GenerationId
from mmsearch_core.records.segment import Page, Span, Where
from mmsearch_core.serving.published_lists import PublishedHit


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHits:
    """The hits of one query, best first. ``generation`` is the current one, None before the first
    publication."""

    query: str
    generation: GenerationId | None
    hits: tuple[PublishedHit, ...]


def show_hits(found: FoundHits, as_json: bool) -> None:
    """Print the hits, best first, each with its scores, its place and what is read there."""
    if as_json:
        show_json(found)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "", "product", "relevance", "fused", "verdict", "place", "seen", title=cell(found.query)
    )
    for number, hit in enumerate(found.hits, start=1):
        seen = hit.evidence.text.splitlines()
        cells = (
            str(number),
            hit.product_id,
            _score(hit.relevance),
            _score(hit.fused),
            hit.verdict or "–",
            place_of(hit.evidence.where),
            seen[0] if seen else "",
        )
        table.add_row(*map(cell, cells))
    Console().print(table)


def place_of(where: Where) -> str:
    """A place in an asset as people say it."""
    if isinstance(where, Page):
        return f"page {where.number}"
    if isinstance(where, Span):
        return f"{_clock(where.start)}–{_clock(where.end)}"
    return ""


def _clock(seconds: float) -> str:
    """Minutes and seconds, as a player shows them."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.3f}"
