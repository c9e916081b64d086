"""`mmsearch search` and `mmsearch results`: what is found now, and what is published."""

from pathlib import Path
from typing import Annotated

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json
from mmsearch_core.cli.hits import FoundHits, show_hits
from mmsearch_core.errors import BadSettings, StageMissing
from mmsearch_core.records.query import guess_locale
from mmsearch_core.records.ranking import Candidate
from mmsearch_core.serving.generation import read_current
from mmsearch_core.serving.published_lists import PublishedHit
from mmsearch_core.serving.results import Results

app = typer.Typer(rich_markup_mode="markdown")
Limit = Annotated[int, typer.Option(min=1, max=50, help="At most so many products.")]


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="What a shopper would type.")] = "",
    image: Annotated[
        Path | None, typer.Option(help="Find products similar to this picture.")
    ] = None,
    limit: Limit = 10,
    as_json: Json = False,
) -> None:
    """Search the live index by words, a picture, or a picture and words ("but blue"); nobody judges
    the results."""
    from mmsearch_core.search.live import search_live

    if not text and not image:
        raise BadSettings("Give words, --image FILE, or both.")
    if image and not image.is_file():
        raise BadSettings(f"{image} is not a file: correct the name.")
    runtime = session.runtime()
    picture = image.read_bytes() if image else None
    found = search_live(runtime.line(), text, picture)[:limit]
    current = read_current(runtime.work)
    shown = FoundHits(
        query=text or str(image),
        generation=current.generation if current else None,
        hits=tuple(_unjudged(candidate) for candidate in found),
    )
    show_hits(shown, as_json)


@app.command()
def results(
    query: Annotated[str, typer.Argument(help="A popular query, as shoppers type it.")],
    locale: Annotated[
        str, typer.Option(help="en or zh; guessed from the writing where it is not given.")
    ] = "",
    limit: Limit = 10,
    as_json: Json = False,
) -> None:
    """Show what is published for a query."""
    published = Results(session.parts().work)
    listed = published.look_up(query, locale or guess_locale(query))
    if listed is None:
        raise StageMissing(
            f"“{query}” is not among the published queries: try `mmsearch search` for a live"
            " answer."
        )
    shown = FoundHits(
        query=listed.query,
        generation=published.current.generation,
        hits=listed.hits[:limit],
    )
    show_hits(shown, as_json)


def _unjudged(candidate: Candidate) -> PublishedHit:
    """A candidate as a hit that nobody vouches for."""
    return PublishedHit(
        product_id=candidate.product_id,
        relevance=None,
        fused=candidate.fused,
        verdict=None,
        evidence=candidate.evidence(),
    )
