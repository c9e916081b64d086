"""`mmsearch evaluate`: how good retrieval and judging are."""

from pathlib import Path
from typing import Annotated

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, show_figures
from mmsearch_core.errors import BadSettings
from mmsearch_core.stages.search import evaluate as evaluation
from mmsearch_core.stages.search.judged_queries import read_judged

app = typer.Typer(rich_markup_mode="markdown")


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
    runtime = session.runtime()
    chosen = runtime.beside() if beside else runtime
    if chosen is None:
        raise BadSettings(
            "No other models are named beside: name some in [beside], or leave --beside away."
        )
    report = evaluation.run(read_judged(folder), chosen.line(chosen.target()))
    show_figures(report, as_json, title=str(folder))
