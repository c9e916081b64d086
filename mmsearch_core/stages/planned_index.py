"""The index that a run searches: fixed when the run was planned, whatever is live by now."""

from dataclasses import replace

from mmsearch_core.errors import StageMissing
from mmsearch_core.ports import Stores
from mmsearch_core.records.run import Plan, Target


def planned_target(plan: Plan, stores: Stores) -> Target:
    """The target of a search plan, with the recipes that the plan names; StageMissing if it was retired or its
    collection was lost or made again since."""
    targets = [target for target in stores.ledger.targets() if target.target_id == plan.target_id]
    there = stores.index.uuid(plan.collection)
    expected = {target.collection_uuid for target in targets} | {plan.collection_uuid or there}
    if not targets or expected != {there}:
        raise StageMissing(
            f"The index {plan.collection} was retired or made again since batch {plan.batch} was planned: "
            "run precompute_results again."
        )
    return replace(targets[0], collection=plan.collection, recipes=plan.recipes)
