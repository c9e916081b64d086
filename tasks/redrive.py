"""redrive: failures get another chance, and not for ever."""

from mmsearch_core.records.report import RedriveReport
from mmsearch_core.stages.hints import redrive
from mmsearch_core.stages.upkeep.housekeeping import read_request
from mmsearch_core.wiring.batches import Runtime
from tasks._command import Request, command


def work(runtime: Runtime, request: Request) -> RedriveReport:
    """Into the target of today's recipes."""
    asked = read_request(request)
    return redrive.run(
        asked=asked, target=runtime.target(), stores=runtime.stores, settings=runtime.settings
    )


if __name__ == "__main__":
    command(__doc__, work)
