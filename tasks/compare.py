"""compare: the bucket and the feed against the ledger; writes batches of what changed."""

from typing import Any

from mmsearch_core.stages import compare
from mmsearch_core.wiring import Runtime
from tasks._command import command


def work(runtime: Runtime, run_id: str, approve_removals: int = 0) -> dict[str, Any]:
    """Compare under the name of the run, so that a retry makes the same batches; a person may have approved that many
    removals."""
    return compare.run(
        run_id=run_id,
        target=runtime.target(),
        stores=runtime.stores,
        settings=runtime.settings,
        approved_removals=approve_removals,
    )


if __name__ == "__main__":
    command(__doc__, "--run", work, approve_removals=0)
