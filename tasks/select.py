"""select: what a backfill asks for becomes batches."""

from mmsearch_core.catalog.selection import read_selection
from mmsearch_core.records.report import SelectReport
from mmsearch_core.stages.hints import select
from mmsearch_core.wiring.batches import Runtime
from tasks._command import Request, command


def work(runtime: Runtime, request: Request) -> SelectReport:
    """For the target of the models that the request names, else of the settings."""
    asked = read_selection(request)
    target = (
        runtime.with_models(asked.models).named_target()
        if asked.dry_run
        else runtime.target_beside(asked.models)
    )
    return select.run(asked=asked, target=target, stores=runtime.stores, settings=runtime.settings)


if __name__ == "__main__":
    command(__doc__, work)
