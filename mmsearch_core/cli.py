"""``mmsearch``: look into the index and the results, and add to the catalog."""

import re
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.catalog.feed import add_to_feed
from mmsearch_core.console import complain, say, show_figures, show_hits, show_json
from mmsearch_core.errors import BadSettings, MMSearchError, StageMissing, TryLater
from mmsearch_core.layout import page_key
from mmsearch_core.pages.run.page import latest
from mmsearch_core.records.query import StandardQuery, query_key
from mmsearch_core.records.ranking import Candidate
from mmsearch_core.safe_text import redacted
from mmsearch_core.search.ask import Asked, standardized
from mmsearch_core.search.candidates import retrieve
from mmsearch_core.serving.generation import read_current
from mmsearch_core.serving.results import Results
from mmsearch_core.settings import load_settings
from mmsearch_core.shards.targets import check_present, lacks
from mmsearch_core.stages.index.switch import hindrance
from mmsearch_core.stages.search import evaluate as evaluation
from mmsearch_core.stages.search import rollback as going_back
from mmsearch_core.stages.search.judged_queries import read_judged
from mmsearch_core.wiring import Runtime

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
ledger = typer.Typer(no_args_is_help=True, help="Look after the ledger's database.")
app.add_typer(ledger, name="ledger")
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback()
def _help() -> None:
    """Search a shop's products, see what is published, and look after the catalog."""


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="What a shopper would type.")] = "",
    image: Annotated[
        Path | None, typer.Option(help="Find products similar to this picture.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=50)] = 10,
    as_json: Json = False,
) -> None:
    """Search the live index by words, a picture, or a picture and words ("but blue"); nobody judges
    the results."""
    if not text and not image:
        raise BadSettings("Give words, --image FILE, or both.")
    runtime = Runtime(load_settings())
    found = _search(runtime, text, image)[:limit]
    hits = [_hit(candidate) for candidate in found]
    current = read_current(runtime.work)
    show_hits(
        {
            "query": text or str(image),
            "generation": current.generation if current else None,
            "hits": hits,
        },
        as_json,
    )


@app.command()
def results(
    query: Annotated[str, typer.Argument(help="A popular query, as shoppers type it.")],
    locale: Annotated[
        str, typer.Option(help="en or zh; guessed from the writing where it is not given.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=50)] = 10,
    as_json: Json = False,
) -> None:
    """Show what is published for a query."""
    published = Results(Runtime(load_settings()).work)
    entry = published.look_up(query, locale or guess_locale(query))
    if entry is None:
        raise StageMissing(
            f"“{query}” is not among the published queries: try `mmsearch search` for a live"
            " answer."
        )
    shown = ("product_id", "relevance", "fused", "verdict", "evidence")
    hits = [{name: hit[name] for name in shown} for hit in entry["hits"][:limit]]
    show_hits(
        {"query": entry["query"], "generation": published.current.generation, "hits": hits}, as_json
    )


@app.command()
def status(as_json: Json = False) -> None:
    """Show what is indexed, what failed, and what is published."""
    runtime = Runtime(load_settings())
    known = runtime.ledger.targets()
    live = next((target for target in known if target.status == "live"), None)
    targets = [
        {
            "collection": target.collection,
            "status": target.status,
            "hindrance": hindrance(runtime.work, live, target) if live and target != live else "",
            "assets": runtime.ledger.counts(target.target_id),
            "unfinished_batches": len(lacks(runtime.ledger, target.target_id)),
            "commit": runtime.ledger.commit_number(target.target_id),
            "open_batches": runtime.ledger.open_batches(target.target_id),
            "failures": [
                {
                    "key": key,
                    "stage": failure.stage,
                    "kind": failure.kind,
                    "message": failure.message,
                }
                for key, failure in runtime.ledger.failures(target.target_id, limit=10)
            ],
        }
        for target in known
    ]
    published = Results(runtime.work) if read_current(runtime.work) else None
    report = {
        "catalog": f"s3://{runtime.catalog.bucket}/{runtime.settings.catalog.prefix}",
        "index": {"uri": redacted(runtime.settings.index.uri), "targets": targets},
        "results": {
            "generation": published.current.generation if published else None,
            "counts": dict(published.manifest.counts) if published else {},
            "index": published.manifest.index if published else None,
            "hold": published.current.hold if published else False,
        },
        "pages": {line: _page(runtime, line) for line in ("index", "search")},
    }
    show_json(report, indent=None if as_json else 2)


@app.command()
def evaluate(
    folder: Annotated[
        Path, typer.Argument(help="Folder of judged queries: queries.jsonl and qrels.txt.")
    ],
    beside: Annotated[
        bool, typer.Option("--beside", help="Measure the index of the models in [beside].")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure retrieval and judging on queries that people judged, over the index of the models in
    the settings."""
    runtime = Runtime(load_settings())
    chosen = runtime.beside() if beside else runtime
    if chosen is None:
        raise BadSettings(
            "No other models are named beside: name some in [beside], or leave --beside away."
        )
    report = evaluation.run(read_judged(folder), chosen.line(chosen.target()))
    show_figures(report, as_json, title=str(folder))


@app.command()
def page(
    to: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    line: Annotated[str, typer.Option(help="index or search: whose latest page.")] = "index",
    batch: Annotated[str, typer.Option(help="The page of this batch instead.")] = "",
) -> None:
    """Save the page of a run: whether the night was good, and what failed; of several batches that
    of the worst."""
    work = Runtime(load_settings()).work
    newest = latest(work, line)
    named = page_key(batch) if batch else newest.page if newest else ""
    data = work.get(named) if named else None
    if data is None:
        raise StageMissing(
            f"There is no page of {batch or f'the {line} line'}: it is written when a run ends."
        )
    to.write_bytes(data)
    say(str(to))
    if newest and not batch and len(newest.batches) > 1:
        say(f"It is of the worst of {len(newest.batches)} batches:")
        for closed in newest.batches:
            say(f"  {closed.batch} {closed.verdict}: {closed.headline}")


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(help="Pictures to upload to the catalog bucket.")],
    product: Annotated[
        str, typer.Option(help="The product they show; each file's own name where not given.")
    ] = "",
    title: Annotated[
        str, typer.Option(help="The product's title, for a product that the feed does not know.")
    ] = "",
) -> None:
    """Upload pictures to the catalog; the next refresh indexes them."""
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise BadSettings(f"{missing[0]} is not a file: correct the name.")
    runtime = Runtime(load_settings())
    for file in files:
        owner = product or re.sub(r"[^\w.-]+", "-", file.stem)
        key = f"{runtime.settings.catalog.prefix}{owner}/{file.name}"
        runtime.catalog.put(key, file.read_bytes())
        known = add_to_feed(runtime.catalog, runtime.settings.catalog.feed, owner, title or owner)
        note = "" if known else " (new product, added to the feed)"
        say(f"s3://{runtime.catalog.bucket}/{key}{note}")


@app.command()
def retire(
    collection: Annotated[str, typer.Argument(help="As `mmsearch status` names it.")],
) -> None:
    """Drop an index that nobody will go back to, never the one that is searched."""
    runtime = Runtime(load_settings())
    target = next((it for it in runtime.ledger.targets() if it.collection == collection), None)
    if target is None:
        raise BadSettings(
            f"There is no index {collection}: name one of those that `mmsearch status` shows."
        )
    if target.status == "live":
        raise BadSettings(f"{collection} is searched: let another take its place first.")
    here = [
        it
        for it in runtime.ledger.targets()
        if runtime.index.uuid(it.collection) == it.collection_uuid
    ]
    if not here:  # not one that was lost, but another Milvus
        check_present(target, runtime.index, where=redacted(runtime.settings.index.uri))
    runtime.index.drop(collection)
    runtime.ledger.set_status(target.target_id, "retired")
    say(f"{collection} is gone.")


@app.command()
def rollback(
    generation: Annotated[
        str, typer.Argument(help="Where to go; the parent of the current one if not given.")
    ] = "",
) -> None:
    """Make an older generation of results current again, and hold it until `mmsearch release`."""
    runtime = Runtime(load_settings())
    request = going_back.Request(run=f"mmsearch rollback {uuid.uuid4().hex}", generation=generation)
    report = going_back.run(request=request, work=runtime.work, ledger=runtime.ledger)
    say(
        f"{report['generation']} is current instead of {report['before']}, and held: `mmsearch"
        " release` lets the next night publish."
    )


@app.command()
def hold() -> None:
    """Publish nothing until `mmsearch release`."""
    current = going_back.hold(Runtime(load_settings()).work)
    say(f"{current.generation} is held: `mmsearch release` lets the next night publish.")


@app.command()
def release() -> None:
    """Let results be published again."""
    current = going_back.release(Runtime(load_settings()).work)
    say(f"{current.generation} is current until the next night publishes.")


@ledger.command()
def upgrade() -> None:
    """Bring the ledger's tables up to date; stop what uses the ledger first."""
    done = SqlLedger(load_settings().ledger.url).upgrade()
    say("The ledger is up to date now." if done else "The ledger was up to date already.")


def main() -> None:
    """Run the command; an error of ours is one sentence and its exit code, 75 (try later) or 78
    (change something)."""
    # on stderr: what --json prints is JSON alone
    structlog.configure(
        processors=[
            structlog.processors.KeyValueRenderer(key_order=["event"])
        ],  # values as repr() shows them
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        app()
    except MMSearchError as error:
        complain(str(error))
        sys.exit(75 if isinstance(error, TryLater) else 78)


def guess_locale(text: str) -> str:
    """Zh where there is a Chinese character, else en."""
    return "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"


def _search(runtime: Runtime, text: str, image: Path | None) -> Sequence[Candidate]:
    line, locale = runtime.line(), guess_locale(text)
    collection = line.target.collection
    words = {language: (text,) for language in ("en", "zh")} if text else {}
    query = StandardQuery(
        query_key=query_key(text, locale),
        text=text,
        locale=locale,
        wording={"en": text},
        keywords=words,
    )
    picture = _normalised(runtime, image) if image else None
    if image and picture:
        asked = Asked(query_id="search", locale=locale, text=text, picture=image.read_bytes())
        understood = standardized([asked], line).get("search")
        query = understood or query
        wordless = not (understood or text)
        alike = line.legs.for_picture(collection, picture) if wordless else None
        legs = alike or line.legs.for_queries(collection, [query], [picture])
    else:
        legs = line.legs.for_queries(collection, [query])
    return retrieve([query], legs, line.stores, line.target, line.settings)[0].candidates


def _page(runtime: Runtime, line: str) -> dict[str, Any] | None:
    newest = latest(runtime.work, line)
    if newest is None:
        return None
    made = newest.made_at.isoformat()
    address = f"s3://{runtime.work.bucket}/{newest.page}"
    batches = [
        {"batch": it.batch, "verdict": it.verdict, "headline": it.headline} for it in newest.batches
    ]
    shown = {
        "page": address,
        "verdict": newest.verdict,
        "headline": newest.headline,
        "made_at": made,
    }
    return shown | {"batches": batches}


def _normalised(runtime: Runtime, image: Path) -> bytes:
    if not image.is_file():
        raise BadSettings(f"{image} is not a file: correct the name.")
    decoded = runtime.decoder.decode([("picture", image.read_bytes())])[0]
    if isinstance(decoded, MMSearchError):
        raise decoded
    return decoded[0].jpeg


def _hit(candidate: Candidate) -> dict[str, Any]:
    return {
        "product_id": candidate.product_id,
        "relevance": None,
        "fused": candidate.fused,
        "verdict": None,
        "evidence": {
            "key": candidate.key,
            "where": str(candidate.where),
            "text": candidate.text,
            "reason": "",
        },
    }


if __name__ == "__main__":
    main()
