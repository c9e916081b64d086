"""drain: the queue of changes becomes a batch of hints."""

from mmsearch_core.records.report import DrainReport
from mmsearch_core.stages.hints import drain
from mmsearch_core.wiring.batches import Runtime
from tasks._command import RunName, command


def work(runtime: Runtime, run_id: RunName) -> DrainReport:
    """Drain under the name of the run, so that a retry finds what was recorded."""
    target = runtime.known_target()
    if target is None:
        return drain.nothing_to_hint_at()
    return drain.run(
        run_id=run_id,
        target=target,
        stores=runtime.stores,
        changes=runtime.changes,
        settings=runtime.settings,
    )


if __name__ == "__main__":
    command(__doc__, work)
