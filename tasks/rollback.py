"""rollback: an older generation of results becomes current again, and is held there."""

from mmsearch_core.records.report import RollbackReport
from mmsearch_core.stages.search import rollback
from mmsearch_core.wiring.batches import Runtime
from tasks._command import Request, command


def work(runtime: Runtime, request: Request) -> RollbackReport:
    """The request is the run's form as JSON."""
    return rollback.run(
        request=rollback.read_request(request), work=runtime.work, ledger=runtime.ledger
    )


if __name__ == "__main__":
    command(__doc__, work)
