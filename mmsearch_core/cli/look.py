"""`mmsearch status` and `mmsearch page`: what is there, and how the last runs went."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, say, show_json, tell
from mmsearch_core.errors import StageMissing
from mmsearch_core.layout import page_key
from mmsearch_core.pages.run.night import Latest, latest
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.target import Target
from mmsearch_core.safe_text import redacted
from mmsearch_core.serving.generation import read_current
from mmsearch_core.serving.results import Results
from mmsearch_core.shards.targets import lacks
from mmsearch_core.stages.index.switch import hindrance

app = typer.Typer(rich_markup_mode="markdown")
FAILURES = 10  # that are shown of a target


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedKey:
    """An object that could not be indexed, or not all of it, and why."""

    key: str
    stage: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """An index: the one that is searched, or one beside it."""

    collection: str
    status: str
    hindrance: str  # why it is not searched yet
    assets: Mapping[str, int]  # by what became of them
    unfinished_batches: int  # of a comparison
    open_batches: int
    commit: int
    failures: tuple[FailedKey, ...]  # the first of them


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """Where the index is, and what is in it."""

    uri: str
    targets: tuple[TargetStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsStatus:
    """What storefronts serve; ``generation`` is None before the first publication."""

    generation: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    index: str | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is there, and how the last runs went."""

    catalog: str
    index: IndexStatus
    results: ResultsStatus
    pages: Mapping[str, Latest | None]  # by line; ``page`` is the address


@app.command()
def status(as_json: Json = False) -> None:
    """Show what is indexed, what failed, and what is published."""
    parts = session.parts()
    known = parts.ledger.targets()
    live = next((target for target in known if target.status == "live"), None)
    targets = [_target(target, live, parts.ledger, parts.work) for target in known]
    found = Status(
        catalog=f"s3://{parts.catalog.bucket}/{parts.settings.catalog.prefix}",
        index=IndexStatus(uri=redacted(parts.settings.index.uri), targets=tuple(targets)),
        results=_results(parts.work),
        pages={line: _latest(parts.work, line) for line in ("index", "search")},
    )
    if as_json:
        show_json(found)
    else:
        _show(found)


def _show(found: Status) -> None:
    """The status for people, a line a thing."""
    say(f"catalog  {found.catalog}")
    say(f"index    {found.index.uri}")
    for target in found.index.targets:
        counts = [f"{count} {state}" for state, count in target.assets.items() if count]
        say(f"  {target.collection} ({target.status}): {', '.join(counts) or 'empty'}")
        if target.unfinished_batches:
            say(f"    {target.unfinished_batches} batches of a comparison are not done")
        if target.hindrance:
            say(f"    not searched yet: {target.hindrance}")
        for failed in target.failures:
            say(f"    {failed.key}: {failed.stage} {failed.kind}: {failed.message}")
    held = ", held: nothing is published until `mmsearch release`" if found.results.hold else ""
    say(f"results  {found.results.generation or 'none yet'}{held}")
    for name, count in found.results.counts.items():
        say(f"  {count} {name}")
    for line, newest in found.pages.items():
        told = f"{newest.headline} {newest.page}" if newest else "none"
        say(f"last run of the {line} line  {told}")


@app.command()
def page(
    to: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    line: Annotated[str, typer.Option(help="index or search: whose latest page.")] = "index",
    batch: Annotated[str, typer.Option(help="The page of this batch instead.")] = "",
    as_json: Json = False,
) -> None:
    """Save the page of a run: whether the night was good, and what failed; of several batches that
    of the worst."""
    work = session.parts().work
    newest = latest(work, line)
    named = page_key(batch) if batch else newest.page if newest else ""
    data = work.get(named) if named else None
    if data is None:
        raise StageMissing(
            f"There is no page of {batch or f'the {line} line'}: it is written when a run ends."
        )
    to.write_bytes(data)
    tell(str(to), {"file": str(to), "page": f"s3://{work.bucket}/{named}"}, as_json)
    if newest and not as_json and not batch and len(newest.batches) > 1:
        say(f"It is of the worst of {len(newest.batches)} batches:")
        for closed in newest.batches:
            say(f"  {closed.batch} {closed.verdict}: {closed.headline}")


def _latest(work: ObjectStore, line: str) -> Latest | None:
    newest = latest(work, line)
    return replace(newest, page=f"s3://{work.bucket}/{newest.page}") if newest else None


def _results(work: ObjectStore) -> ResultsStatus:
    if read_current(work) is None:
        return ResultsStatus()
    published = Results(work)
    return ResultsStatus(
        generation=published.current.generation,
        counts=published.manifest.counts,
        index=published.manifest.index,
        hold=published.current.hold,
    )


def _target(target: Target, live: Target | None, ledger: Ledger, work: ObjectStore) -> TargetStatus:
    failures = []
    for key, failure in ledger.failures(target.target_id, limit=FAILURES):
        failures.append(
            FailedKey(key=key, stage=failure.stage, kind=failure.kind, message=failure.message)
        )
    return TargetStatus(
        collection=target.collection,
        status=target.status,
        hindrance=hindrance(work, live, target) if live and target != live else "",
        assets=ledger.counts(target.target_id),
        unfinished_batches=len(lacks(ledger, target.target_id)),
        open_batches=ledger.open_batches(target.target_id),
        commit=ledger.commit_number(target.target_id),
        failures=tuple(failures),
    )
