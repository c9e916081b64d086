"""`mmsearch status` and `mmsearch page`: what is there, and how the last runs went."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, say, show_json, tell
from mmsearch_core.errors import StageMissing
from mmsearch_core.layout import page_key
from mmsearch_core.pages.run.page import latest
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


@app.command()
def status(as_json: Json = False) -> None:
    """Show what is indexed, what failed, and what is published."""
    parts = session.parts()
    known = parts.ledger.targets()
    live = next((target for target in known if target.status == "live"), None)
    published = Results(parts.work) if read_current(parts.work) else None
    report = {
        "catalog": f"s3://{parts.catalog.bucket}/{parts.settings.catalog.prefix}",
        "index": {
            "uri": redacted(parts.settings.index.uri),
            "targets": [_target(target, live, parts.ledger, parts.work) for target in known],
        },
        "results": {
            "generation": published.current.generation if published else None,
            "counts": dict(published.manifest.counts) if published else {},
            "index": published.manifest.index if published else None,
            "hold": published.current.hold if published else False,
        },
        "pages": {line: _page(parts.work, line) for line in ("index", "search")},
    }
    if as_json:
        show_json(report)
    else:
        _show(report)


def _show(report: Mapping[str, Any]) -> None:
    """The report for people, a line a thing."""
    say(f"catalog  {report['catalog']}")
    say(f"index    {report['index']['uri']}")
    for target in report["index"]["targets"]:
        counts = [f"{count} {state}" for state, count in target["assets"].items() if count]
        say(f"  {target['collection']} ({target['status']}): {', '.join(counts) or 'empty'}")
        if target["unfinished_batches"]:
            say(f"    {target['unfinished_batches']} batches of a comparison are not done")
        if target["hindrance"]:
            say(f"    not searched yet: {target['hindrance']}")
        for failed in target["failures"]:
            say(f"    {failed['key']}: {failed['stage']} {failed['kind']}: {failed['message']}")
    results = report["results"]
    held = ", held: nothing is published until `mmsearch release`" if results["hold"] else ""
    say(f"results  {results['generation'] or 'none yet'}{held}")
    for name, count in results["counts"].items():
        say(f"  {count} {name}")
    for line, newest in report["pages"].items():
        told = f"{newest['headline']} {newest['page']}" if newest else "none"
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


def _target(
    target: Target, live: Target | None, ledger: Ledger, work: ObjectStore
) -> dict[str, Any]:
    failures = []
    for key, failure in ledger.failures(target.target_id, limit=FAILURES):
        told = {"stage": failure.stage, "kind": failure.kind, "message": failure.message}
        failures.append({"key": key, **told})
    return {
        "collection": target.collection,
        "status": target.status,
        "hindrance": hindrance(work, live, target) if live and target != live else "",
        "assets": ledger.counts(target.target_id),
        "unfinished_batches": len(lacks(ledger, target.target_id)),
        "commit": ledger.commit_number(target.target_id),
        "open_batches": ledger.open_batches(target.target_id),
        "failures": failures,
    }


def _page(work: ObjectStore, line: str) -> dict[str, Any] | None:
    newest = latest(work, line)
    if newest is None:
        return None
    batches = [
        {"batch": it.batch, "verdict": it.verdict, "headline": it.headline} for it in newest.batches
    ]
    return {
        "page": f"s3://{work.bucket}/{newest.page}",
        "verdict": newest.verdict,
        "headline": newest.headline,
        "made_at": newest.made_at.isoformat(),
        "batches": batches,
    }
