"""What was found for one query, as a table for people or as JSON for programs."""

from dataclasses import dataclass

from mmsearch_core.cli.console import cell, show_json
from mmsearch_core.records.ids import GenerationId
from mmsearch_core.serving.published_lists import PublishedHit


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHits:
    """The hits of one query, best first. ``generation`` is the current one, None before the first
    publication."""

    query: str
    generation: GenerationId | None
    hits: tuple[PublishedHit, ...]


def show_hits(found: FoundHits, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        show_json(found)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("", "product", "relevance", "fused", "verdict", "seen", title=cell(found.query))
    for place, hit in enumerate(found.hits, start=1):
        seen = hit.evidence.text.splitlines()
        cells = (
            str(place),
            hit.product_id,
            _score(hit.relevance),
            _score(hit.fused),
            hit.verdict or "–",
            seen[0] if seen else "",
        )
        table.add_row(*map(cell, cells))
    Console().print(table)


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.3f}"
