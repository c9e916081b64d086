"""`make demo`: from nothing to judged results on this machine, with the real parts and the real
scheduler.

`python -m mmsearch_core.demo.run [FOLDER]`. The stack keeps running afterwards; a second call over
an unchanged catalog does no work.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mmsearch_core.cli.console import cell
from mmsearch_core.codec import from_json_value
from mmsearch_core.demo import processes, stack
from mmsearch_core.demo.environment import secrets, settings_environment
from mmsearch_core.demo.follow import FINISHED, Follower, Run
from mmsearch_core.demo.processes import PartFailed
from mmsearch_core.demo.upload import make_buckets, upload
from mmsearch_core.errors import MMSearchError
from mmsearch_core.records.report import CloseReport, CompareReport, PublishReport
from mmsearch_core.settings import load_settings

TOP = 3  # results shown of a query
SHOWN = 4  # queries shown of a language
MOMENTS = ("turns around", "变成黄色")  # looked for in films
# asked of the tables: who sells what for a waist of 80 cm or more
SIZES = (
    "SELECT product, document, page, label, number, source FROM cells"
    " WHERE list_has_any(header, ['Waist cm', '腰围 cm']) AND number >= 80"
    " ORDER BY number, product LIMIT 5"
)
INBOX = "catalog_inbox"
MOST_PRODUCTS = 9000  # the products of real files are numbered from there
console = Console(highlight=False)


def run(state: Path) -> None:
    """Start the embedded stack, run the index line and the search line on the sample, and show what
    they made. ``state`` is the folder that keeps it all."""
    with step("Starting SeaweedFS, Milvus Lite and Airflow"):
        stack.start(state)
    os.environ.update(settings_environment(state))
    with step("Loading the sample catalog and query log"):
        load_sample(state)
    airflow = stack.airflow(state)
    for dag_id in sorted(stack.dag_ids() - {INBOX}):
        airflow.switch(dag_id, on=True)
    follower = Follower(
        airflow, lambda line: console.print(f"  {line}", markup=False, soft_wrap=True)
    )
    with step("Indexing what changed (catalog_refresh, then index_catalog for each batch)"):
        compared, closed = refresh(state, follower)
    # its queue names what was just indexed: now that costs a look and no more
    airflow.switch(INBOX, on=True)
    with step("Precomputing the results of popular queries (precompute_results)"):
        published = precompute(state, follower)
    summarise(compared, closed, published)
    show_results(state / "sample/queries")
    show_moments()
    show_tables()
    say_what_next(state)


def load_sample(state: Path) -> None:
    """Write the sample into a folder of the stack, and bring it into the buckets."""
    from mmsearch_core.demo.catalog import write_sample

    settings, sample = load_settings(), state / "sample"
    write_sample(sample, products=products())
    catalog, query_log = make_buckets(settings)
    pictures = upload(catalog, sample / "catalog", "", state / "uploaded-catalog.json")
    log, prefix = sample / "queries", settings.query_log.prefix
    queries = upload(query_log, log, prefix, state / "uploaded-queries.json")
    console.print(f"  uploaded {pictures} files of the catalog and {queries} of the query log")


def products() -> int:
    """The size of the catalog: some 80 pictures, or what `MMSEARCH_DEMO_PRODUCTS` asks for."""
    text = os.environ.get("MMSEARCH_DEMO_PRODUCTS") or "64"
    if not text.isdecimal() or not 0 < int(text) <= MOST_PRODUCTS:
        raise PartFailed(
            f"MMSEARCH_DEMO_PRODUCTS is {text!r}: set it to a number between 1 and {MOST_PRODUCTS}."
        )
    return int(text)


def refresh(state: Path, follower: Follower) -> tuple[CompareReport, list[CloseReport]]:
    """Compare and index; the reports of `compare` and of every batch's `close`."""
    airflow, began = stack.airflow(state), datetime.now(UTC)
    run_id = airflow.trigger("catalog_refresh")
    follower.until_done("catalog_refresh", lambda runs: only(runs, run_id))
    compared = from_json_value(airflow.report("catalog_refresh", run_id, "compare"), CompareReport)

    def ours(runs: list[Run]) -> list[Run] | None:
        """The runs of our batches, and whatever else was indexed meanwhile."""
        batches = {run["partition_key"] for run in runs}
        if not batches.issuperset(compared.batches):
            return None
        return [
            r
            for r in runs
            if r["state"] not in FINISHED or datetime.fromisoformat(r["run_after"]) >= began
        ]

    done = follower.until_done("index_catalog", ours)
    closed = []
    for run in done:
        report = airflow.report("index_catalog", run["dag_run_id"], "close")
        closed.append(from_json_value(report, CloseReport))
    return compared, closed


def precompute(state: Path, follower: Follower) -> PublishReport:
    """Mine, judge and publish; the report of `publish`."""
    airflow = stack.airflow(state)
    run_id = airflow.trigger("precompute_results")
    follower.until_done("precompute_results", lambda runs: only(runs, run_id))
    report = airflow.report("precompute_results", run_id, "publish")
    return from_json_value(report, PublishReport)


def only(runs: list[Run], run_id: str) -> list[Run] | None:
    """One run, when it is there."""
    return [run for run in runs if run["dag_run_id"] == run_id] or None


def summarise(
    compared: CompareReport, closed: Sequence[CloseReport], published: PublishReport
) -> None:
    """What was done, as the reports tell it."""
    counts = compared.counts
    console.print(
        f"\n[bold]Catalog[/]   {counts['added']} added, {counts['changed']} changed,"
        f" {counts['removed']} removed, {counts['unchanged']} unchanged",
        soft_wrap=True,
    )
    done: Counter[str] = Counter()
    rows = 0
    for report in closed:
        for stage, totals in report.stages.items():
            done[stage] += totals.done
            rows += totals.tally.get("rows_written", 0) + totals.tally.get("rows_removed", 0)
    calls = sum(report.model_calls.made for report in closed)
    console.print(
        f"[bold]Index[/]     {_count(done['decode'], 'file')} opened,"
        f" {done['describe']} described, {done['embed_image']} + {done['embed_text']} embedded:"
        f" {_calls(calls)}, "
        + (f"{_count(rows, 'row')} written or removed in Milvus" if rows else "no write to Milvus"),
        soft_wrap=True,
    )
    saved = published.model_calls.saved
    became = "is now current" if published.published else "stays, nothing differs"
    console.print(
        f"[bold]Results[/]   {published.queries} queries, {published.hits} hits: "
        f"{_calls(published.model_calls.made)}, {saved} answered from memory; generation "
        f"{published.generation} {became}",
        soft_wrap=True,
    )


def show_results(folder: Path) -> None:
    """The first results of popular queries, as `mmsearch results` gives them."""
    table = Table(
        "query", "product", "verdict", "relevance", "seen in the picture", title="\nPopular queries"
    )
    for queries in popular(folder).values():
        answered = (
            (query, answer["hits"])
            for query in queries
            if (answer := mmsearch("results", query, "--json"))
        )
        for query, hits in islice(answered, SHOWN):
            for place, hit in enumerate(hits[:TOP], start=1):
                seen = hit["evidence"]["text"].splitlines()
                relevance = "–" if hit["relevance"] is None else f"{hit['relevance']:.2f}"
                asked = query if place == 1 else ""
                row = (
                    asked,
                    hit["product_id"],
                    hit["verdict"] or "–",
                    relevance,
                    seen[0] if seen else "",
                )
                table.add_row(*map(cell, row), end_section=place == min(TOP, len(hits)))
    console.print(table)


def show_moments() -> None:
    """Where in the films something happens, as `mmsearch search` finds it."""
    table = Table("query", "product", "moment", "what happens", title="\nMoments of films")
    for query in MOMENTS:
        answer = mmsearch("search", query, "--json")
        hits = answer["hits"] if answer else []
        moments = [hit for hit in hits if hit["evidence"]["fragment"].startswith("t=")]
        for hit in moments[:1]:
            evidence = hit["evidence"]
            moment = f"{evidence['key']}#{evidence['fragment']}"
            happens = evidence["text"].splitlines()[0]
            table.add_row(*map(cell, (query, hit["product_id"], moment, happens)))
    console.print(table)


def show_tables() -> None:
    """A question that the tables of the size charts answer."""
    answer = mmsearch("tables", SIZES, "--json")
    columns = ("product", "document", "page", "size", "centimetres", "read from")
    table = Table(*columns, title=f"\n{SIZES}")
    for row in answer["rows"] if answer else []:
        table.add_row(*[cell(str(value)) for value in row.values()])
    console.print(table)


def popular(folder: Path) -> dict[str, list[str]]:
    """The queries of a log by language, those of most people first."""
    people: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in folder.rglob("*.jsonl"):
        for line in path.read_text().splitlines():
            event = json.loads(line)
            people[event["locale"]][event["query"]].add(event["session"])
    return {
        locale: sorted(asked, key=lambda q: (-len(asked[q]), q))
        for locale, asked in sorted(people.items())
    }


def mmsearch(*arguments: str) -> dict[str, Any] | None:
    """What the command line answers, or None where it has no answer."""
    command = [str(processes.program("mmsearch")), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return None
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def say_what_next(state: Path) -> None:
    """Where everything is, and what to try."""
    settings = load_settings()
    status = mmsearch("status", "--json") or {}
    targets = [
        target
        for target in status.get("index", {}).get("targets", [])
        if target["status"] == "live"
    ]
    live = ", ".join(f"{t['collection']}: {t['assets'].get('live', 0)} files" for t in targets)
    stop = (
        "make stop"
        if state == stack.FOLDER
        else f".venv/bin/python -m mmsearch_core.demo.stack stop {state}"
    )
    config = Path(os.path.relpath(state / "mmsearch.toml"))
    console.print(
        f"Airflow    {stack.airflow(state).address}   user admin, password"
        f" {secrets(state)['airflow_password']}\nBucket    "
        f" {settings.store.endpoint}/{settings.catalog.bucket}   keys in {config}\nIndex     "
        f" {settings.index.uri}   {live}\n\nTry        export MMSEARCH_CONFIG={config}\n          "
        ' .venv/bin/mmsearch search "red striped dress"\n           .venv/bin/mmsearch results'
        ' "红色连衣裙"\n           .venv/bin/mmsearch add my-picture.jpg   # searchable within'
        f" two minutes\n           .venv/bin/mmsearch evaluate {config.parent}/sample/judged\nStop"
        f" with  {stop}",
        markup=False,
        soft_wrap=True,
    )


@contextmanager
def step(title: str) -> Any:
    """Say what begins and how long it took."""
    console.print(f"[bold]{title}[/]")
    began = time.monotonic()
    yield
    console.print(f"  [dim]{time.monotonic() - began:.0f} s[/]")


def _calls(number: int) -> str:
    return _count(number, "model call") if number else "no model call"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def main() -> None:
    """Run the demo in the folder named by the first argument; what a user can mend ends it with one
    sentence and exit code 1."""
    try:
        run(Path(sys.argv[1]).absolute() if sys.argv[1:] else stack.FOLDER)
    except MMSearchError as error:
        console.print(f"\n{error}", style="red", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
