"""`mmsearch clips`: moments of a product's videos, to look at or to cut out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, cell, say, show_json
from mmsearch_core.cli.hits import place_of
from mmsearch_core.errors import BadRecord, StageMissing
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import ProductId
from mmsearch_core.records.segment import Span
from mmsearch_core.search.clips import Clip
from mmsearch_core.settings import Decode

if TYPE_CHECKING:
    from mmsearch_core.adapters.isolated_calls import IsolatedCalls

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
    """The clips as files, each there when it is whole."""
    from mmsearch_core.adapters.isolated_calls import IsolatedCalls
    from mmsearch_core.adapters.video import MODULES

    folder.mkdir(parents=True, exist_ok=True)
    one_process = settings.model_copy(update={"processes": 1})
    calls: IsolatedCalls[Path] = IsolatedCalls(one_process, modules=MODULES)
    written = []
    with own_folder() as temporary:
        for number, clip in enumerate(found, start=1):
            there = catalog.head(clip.key)
            if there is None:
                raise StageMissing(f"{clip.key} is gone: the next refresh takes its clips away.")
            source = Path(temporary, clip.asset_id)
            if not source.exists():
                catalog.download(there, source)
            name = re.sub(r"[^\w.-]+", "-", Path(clip.key).stem)
            target = folder / f"{number:02}-{name}-{clip.start:.1f}.mp4"
            _cut(clip, source, target, calls, settings)
            written.append(target)
    return written


def _cut(
    clip: Clip, source: Path, target: Path, calls: IsolatedCalls[Path], settings: Decode
) -> None:
    """In a process that a stranger's file may end; raises the BadRecord that it was."""
    from mmsearch_core.adapters.isolated_calls import Call
    from mmsearch_core.adapters.video import cut

    part = target.with_suffix(".part")
    span = Span(start=clip.start, end=clip.end)
    call = Call(
        work=cut,
        arguments=(source, span, part, settings),
        kind="video",
        limit="video_seconds",
    )
    try:
        (answer,) = calls.answers([call])
        if isinstance(answer, BadRecord):
            raise type(answer)(f"{clip.key} cannot be cut. {answer}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
