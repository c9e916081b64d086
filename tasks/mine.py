"""mine: the query log becomes tonight's popular queries."""

from mmsearch_core.records.report import MineReport
from mmsearch_core.stages.search import mine
from mmsearch_core.wiring.batches import Runtime
from tasks._command import RunName, command


def work(runtime: Runtime, run_id: RunName) -> MineReport:
    """Mine under the name of the run, for the index that is live."""
    return mine.run(
        run_id=run_id,
        target=runtime.live_target(),
        recipes=runtime.search_recipes,
        stores=runtime.stores,
        query_log=runtime.query_log,
        settings=runtime.settings,
    )


if __name__ == "__main__":
    command(__doc__, work)
