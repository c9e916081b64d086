"""What commands print: tables for people, JSON for programs. All that comes from outside goes
through ``safe_text``."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmsearch_core.safe_text import printable, to_json_text

if TYPE_CHECKING:
    from rich.text import Text

    from mmsearch_core.records.report import EvaluateReport

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of words and tables.")]


def say(sentence: str) -> None:
    """Print one line on standard output."""
    sys.stdout.write(printable(sentence) + "\n")


def complain(sentence: str) -> None:
    """Print one line on standard error."""
    sys.stderr.write(printable(sentence) + "\n")


def show_json(value: Any, *, indent: int | None = None) -> None:
    """Print a value, which may be made of records, as JSON on standard output."""
    from mmsearch_core.codec import to_json_value

    sys.stdout.write(to_json_text(to_json_value(value), indent=indent) + "\n")


def tell(sentence: str, facts: object, as_json: bool) -> None:
    """What a command did: one sentence for people, or its facts for programs."""
    if as_json:
        show_json(facts)
    else:
        say(sentence)


def show_figures(report: "EvaluateReport", as_json: bool, *, title: str) -> None:
    """Print nDCG and its company of each way of ranking, a row each."""
    if as_json:
        show_json(report)
        return
    from rich.console import Console
    from rich.table import Table

    from mmsearch_core.stages.search.evaluate import METRICS

    table = Table("group", "queries", "row", *METRICS, title=cell(title))
    for row in report.rows:
        means = [f"{row.means[name]:.3f}" for name in METRICS]
        cells = (row.group, str(row.queries), row.row, *means)
        table.add_row(*map(cell, cells), end_section=row.row == "oracle")
    Console().print(table)
    room = report.headroom
    say(f"headroom recovered by the judge: {room.recovered}, p = {room.p_value}")


def cell(text: str) -> "Text":
    """Text of a table, in which rich looks for no markup, no emoji codes and no addresses."""
    from rich.text import Text

    return Text(printable(text))
