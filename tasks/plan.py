"""plan: a batch of hints becomes a frozen list of shards."""

from mmsearch_core.records.ids import BatchId
from mmsearch_core.records.report import PlanReport
from mmsearch_core.stages.index import plan
from mmsearch_core.wiring.batches import Runtime
from tasks._command import BatchName, command


def work(runtime: Runtime, batch: BatchName) -> PlanReport:
    """Plan for the target of today's recipes, or of the models that the batch asks for."""
    return plan.run(
        batch=BatchId(batch),
        target=runtime.for_batch(batch).target(),
        stores=runtime.stores,
        settings=runtime.settings,
    )


if __name__ == "__main__":
    command(__doc__, work)
