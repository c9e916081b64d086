"""`mmsearch evaluate` and `mmsearch tune`: how good retrieval and judging are, and which weights of
the legs are better."""

from pathlib import Path
from typing import Annotated

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, say, show_figures, show_json
from mmsearch_core.errors import BadSettings
from mmsearch_core.stages.search import evaluate as evaluation
from mmsearch_core.stages.search import tune as tuning
from mmsearch_core.stages.search.judged_queries import read_judged

app = typer.Typer(rich_markup_mode="markdown")

Judged = Annotated[
    Path, typer.Argument(help="Folder of judged queries: queries.jsonl and qrels.txt.")
]


@app.command()
def evaluate(
    folder: Judged,
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


@app.command()
def tune(folder: Judged, as_json: Json = False) -> None:
    """Find the weights of the legs that rank queries best that people judged. Prints them as lines
    of the settings file, with what they are worth on queries that they were not found on."""
    runtime = session.runtime()
    report = tuning.run(read_judged(folder), runtime.line(runtime.target()))
    if as_json:
        show_json(report)
        return
    better = "better, and that is no chance" if report.is_better else "not better: keep what is set"
    say(f"# nDCG@10 of fusion over {report.queries} judged queries ({report.judged[:12]})")
    say(f"# as set: {report.before:.3f}; with these weights: {report.after:.3f}")
    say(f"# on queries that they were not found on: {report.held_out:.3f}, p = {report.p_value}")
    say(f"# {better}")
    say("[search.weights]")
    for leg, weight in report.weights.items():
        say(f"{leg} = {weight}")
