"""evaluate: the line's rankings of queries that people judged, in figures."""

from pathlib import Path
from typing import Annotated

import typer

from mmsearch_core.records.report import EvaluateReport
from mmsearch_core.stages.search import evaluate
from mmsearch_core.stages.search.judged_queries import read_judged
from mmsearch_core.wiring.batches import Runtime
from tasks._command import command


def work(
    runtime: Runtime, folder: Annotated[str, typer.Argument(help="The folder of judged queries.")]
) -> EvaluateReport:
    """Measure the live target."""
    return evaluate.run(read_judged(Path(folder)), runtime.line())


if __name__ == "__main__":
    command(__doc__, work)
