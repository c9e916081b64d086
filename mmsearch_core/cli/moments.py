"""`mmsearch clips`: moments of a product's videos, to look at or to cut out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, cell, say, show_json
from mmsearch_core.cli.hits import place_of
from mmsearch_core.errors import StageMissing
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import ProductId
from mmsearch_core.records.segment import Span
from mmsearch_core.search.clips import Clip
from mmsearch_core.settings import Decode

app = typer.Typer(rich_markup_mode="markdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundClips:
    """The clips of one product, best first; ``files`` are those that were cut out, in the same
    order."""

    product_id: ProductId
    clips: tuple[Clip, ...]
    files: tuple[str, ...]


@app.command()
def clips(
    product: Annotated[str, typer.Argument(help="The product's id in the feed.")],
    text: Annotated[
        str, typer.Argument(help="What the clips should show; the product where not given.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=50, help="At most so many clips.")] = 5,
    cut: Annotated[
        Path | None, typer.Option(help="Write each clip into this folder, as an MP4 of its own.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose moments of a product's videos, for a query or for the product's page."""
    from mmsearch_core.search.clips import clips_of

    runtime = session.runtime()
    line, name = runtime.line(), ProductId(product)
    found = clips_of(name, text, line.stores, line.target, runtime.sbert)[:limit]
    files = _cut_all(found, cut, runtime.catalog, runtime.settings.decode) if cut else []
    if as_json:
        show_json(FoundClips(product_id=name, clips=tuple(found), files=tuple(map(str, files))))
        return
    _show(found, product)
    for file in files:
        say(str(file))


def _show(found: Sequence[Clip], product: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "video", "moment", "likeness", "what happens", title=cell(product))
    for number, clip in enumerate(found, start=1):
        moment = place_of(Span(start=clip.start, end=clip.end))
        address = f"{clip.key}#{clip.fragment}"
        table.add_row(*map(cell, (str(number), address, moment, f"{clip.likeness:.2f}", clip.why)))
    Console().print(table)


def _cut_all(
    found: Sequence[Clip], folder: Path, catalog: ObjectStore, settings: Decode
) -> list[Path]:
    """The clips as files, cut in a process that strangers' files may end."""
    from mmsearch_core.adapters.video import MODULES, cut
    from mmsearch_core.confined import ConfinedPool

    folder.mkdir(parents=True, exist_ok=True)
    pool = ConfinedPool(processes=1, memory=settings.memory_mb * 1024**2, modules=MODULES)
    written = []
    try:
        with own_folder() as temporary:
            for number, clip in enumerate(found, start=1):
                there = catalog.head(clip.key)
                if there is None:
                    raise StageMissing(
                        f"{clip.key} is gone: the next refresh takes its clips away."
                    )
                source = Path(temporary, clip.asset_id)
                if not source.exists():
                    catalog.download(there, source)
                name = re.sub(r"[^\w.-]+", "-", Path(clip.key).stem)
                target = folder / f"{number:02}-{name}-{clip.start:.1f}.mp4"
                span = Span(start=clip.start, end=clip.end)
                seconds = settings.video_seconds
                pool.start(cut, source, span, target, settings, seconds=seconds).result(seconds)
                written.append(target)
    finally:
        pool.end()
    return written
