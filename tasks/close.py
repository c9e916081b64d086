"""close: add up a batch's reports, hold them against the ledger, let the index go live."""

from mmsearch_core.records.ids import BatchId
from mmsearch_core.records.report import CloseReport
from mmsearch_core.stages.index import close
from mmsearch_core.wiring.batches import Runtime
from tasks._command import BatchName, command


def work(runtime: Runtime, batch: BatchName) -> CloseReport:
    """Fails by itself where a report is missing."""
    return close.run(
        batch=BatchId(batch),
        target=runtime.named_target(),
        stores=runtime.stores,
        settings=runtime.settings.index,
    )


if __name__ == "__main__":
    command(__doc__, work)
