"""sweep: rows of the index that the ledger does not know go."""

from mmsearch_core.records.report import RemovalReport
from mmsearch_core.stages.upkeep import sweep
from mmsearch_core.stages.upkeep.housekeeping import read_request
from mmsearch_core.wiring.batches import Runtime
from tasks._command import Request, command


def work(runtime: Runtime, request: Request) -> RemovalReport:
    """In every target."""
    return sweep.run(
        asked=read_request(request), stores=runtime.stores, settings=runtime.settings.catalog
    )


if __name__ == "__main__":
    command(__doc__, work)
