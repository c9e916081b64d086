"""await_index: wait until the index is whole, or until it takes too long."""

from typing import Annotated

import typer

from mmsearch_core.records.report import AwaitReport
from mmsearch_core.stages.search import await_index
from mmsearch_core.wiring.batches import Runtime
from tasks._command import command


def work(
    runtime: Runtime,
    since: Annotated[str, typer.Option(help="When the run began, as ISO 8601; empty: now.")],
) -> AwaitReport:
    """Ask the ledger only; ``since`` is when the run began (ISO 8601; empty: now)."""
    moment = await_index.read_moment(since)
    return await_index.run(since=moment, ledger=runtime.ledger, settings=runtime.settings.search)


if __name__ == "__main__":
    command(__doc__, work)
