"""estimate: what a backfill would cost, before any of it is done."""

from mmsearch_core.catalog.selection import read_selection
from mmsearch_core.records.report import EstimateReport
from mmsearch_core.stages.hints import estimate
from mmsearch_core.wiring.batches import Runtime
from tasks._command import Request, command


def work(runtime: Runtime, request: Request) -> EstimateReport:
    """Look at the catalog and the ledger only; the request is the run's form as JSON."""
    asked = read_selection(request)
    chosen = runtime.with_models(asked.models)
    target = chosen.known_target() or chosen.named_target()
    return estimate.run(
        asked=asked, target=target, stores=runtime.stores, settings=runtime.settings
    )


if __name__ == "__main__":
    command(__doc__, work)
