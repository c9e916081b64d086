"""publish: judgements become one generation of results, flipped to by one conditional write."""

from typing import Annotated

import typer

from mmsearch_core.records.ids import BatchId
from mmsearch_core.records.report import PublishReport
from mmsearch_core.stages.search import publish
from mmsearch_core.wiring.batches import Runtime
from tasks._command import BatchName, command


def work(
    runtime: Runtime,
    batch: BatchName,
    approve: Annotated[int, typer.Option(help="1: a person approves.")] = 0,
) -> PublishReport:
    """Publish unless nothing differs. With ``approve``, a person has seen what the gates say and
    approves."""
    return publish.run(
        batch=BatchId(batch),
        work=runtime.work,
        ledger=runtime.ledger,
        settings=runtime.settings.search,
        approve=bool(approve),
    )


if __name__ == "__main__":
    command(__doc__, work)
