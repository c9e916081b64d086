"""compare: the bucket and the feed against the ledger; writes batches of what changed."""

from typing import Annotated

import typer

from mmsearch_core.records.report import CompareReport
from mmsearch_core.stages.hints import compare
from mmsearch_core.wiring.batches import Runtime
from tasks._command import RunName, command


def work(
    runtime: Runtime,
    run_id: RunName,
    approve_removals: Annotated[
        int, typer.Option(help="So many pictures or products may go at once.")
    ] = 0,
    beside: Annotated[int, typer.Option(help="1: for the models of [beside].")] = 0,
) -> CompareReport:
    """Compare under the name of the run, so that a retry makes the same batches; a person may have
    approved that many removals, of pictures or of products. With ``beside``, for the index that is
    kept current beside the one that is searched, if there is one."""
    chosen = runtime.beside() if beside else runtime
    if chosen is None:
        return CompareReport()
    return compare.run(
        run_id=run_id,
        target=chosen.build_target(),
        stores=chosen.stores,
        settings=chosen.settings,
        models=runtime.settings.beside.models if beside else {},
        approved_removals=approve_removals,
    )


if __name__ == "__main__":
    command(__doc__, work)
