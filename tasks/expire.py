"""expire: old runs, unused answers, old generations and unused pixels go."""

from mmsearch_core.records.line import INDEX, names
from mmsearch_core.records.report import RemovalReport
from mmsearch_core.stages.upkeep import expire
from mmsearch_core.stages.upkeep.housekeeping import read_request
from mmsearch_core.wiring.batches import Runtime
from tasks._command import Request, command


def work(runtime: Runtime, request: Request) -> RemovalReport:
    """Keep what today's settings and the targets use."""
    recipes = [
        *runtime.named_target().recipes_of(*names(INDEX)),
        *runtime.search_recipes.values(),
    ]
    return expire.run(
        asked=read_request(request),
        stores=runtime.stores,
        memo=runtime.memo,
        recipes=recipes,
        settings=runtime.settings.housekeeping,
    )


if __name__ == "__main__":
    command(__doc__, work)
