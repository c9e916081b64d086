"""gates: tonight's lists are held against those that are published; too much of a change asks a
person."""

from mmsearch_core.records.ids import BatchId
from mmsearch_core.records.report import GatesReport
from mmsearch_core.stages.search import gates
from mmsearch_core.wiring.batches import Runtime
from tasks._command import BatchName, command


def work(runtime: Runtime, batch: BatchName) -> GatesReport:
    """Compare, and publish nothing."""
    return gates.run(batch=BatchId(batch), work=runtime.work, settings=runtime.settings.search)


if __name__ == "__main__":
    command(__doc__, work)
