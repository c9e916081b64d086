"""publish: judgements become one generation of results, flipped to by one conditional write."""

from typing import Any

from mmsearch_core.records.ids import BatchId
from mmsearch_core.stages import publish
from mmsearch_core.wiring import Runtime
from tasks._command import command


def work(runtime: Runtime, batch: str) -> dict[str, Any]:
    """Publish unless nothing differs."""
    return publish.run(batch=BatchId(batch), work=runtime.work, settings=runtime.settings.search)


if __name__ == "__main__":
    command(__doc__, "batch", work)
