"""Which collection a task works on: the one that the ledger knows, and only if this Milvus has it.

A task that is started with another Milvus address, or after a collection was lost, ends with one
sentence. Only a comparison concludes that a collection was lost, since it alone hands out again all
that was in it.
"""

from collections.abc import Iterable

from mmsearch_core.errors import StageMissing
from mmsearch_core.ports.index import VectorIndex
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.batch import OpenBatch
from mmsearch_core.records.ids import TargetId
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.target import Target

COMPARISON = "compare"  # the first word of the source of a comparison's batches


def find(ledger: Ledger, target: TargetId) -> Target | None:
    """The target as the ledger knows it; None where it does not, or where the target is retired."""
    return next((known for known in ledger.targets() if known.target_id == target), None)


def check_present(target: Target, index: VectorIndex, *, where: str = "Milvus") -> None:
    """StageMissing unless the index has the target's collection, with the uuid that the ledger
    knows.

    :param where: the name of the index in the message.
    """
    uuid = index.uuid(target.collection)
    if uuid == target.collection_uuid:
        return
    problem = (
        f"is missing from {where}"
        if uuid is None
        else f"in {where} is not the one that the ledger knows"
    )
    raise StageMissing(
        f"The collection {target.collection} {problem}: correct index.uri, or run catalog_refresh"
        " to build it again."
    )


def of_plan(plan: Plan, stores: Stores) -> Target:
    """The target of a batch, as its plan froze it; StageMissing where its collection is not the
    planned one."""
    target = find(stores.ledger, plan.target_id)
    if target is None:
        raise StageMissing(
            f"The index {plan.collection} of batch {plan.batch} is retired: there is nothing left"
            " to do for it."
        )
    if plan.collection_uuid not in ("", target.collection_uuid):  # "": planned by an older version
        raise StageMissing(
            f"The collection {plan.collection} was lost and made anew after batch {plan.batch} was"
            " planned: the batches of the latest catalog_refresh build it again."
        )
    check_present(target, stores.index)
    return target


def of_search_plan(plan: Plan, stores: Stores) -> Target:
    """The target that a run of the search line searches; StageMissing if it was retired, or its
    collection was lost or made anew since."""
    target = find(stores.ledger, plan.target_id)
    uuid = stores.index.uuid(plan.collection)
    if target is None or uuid != target.collection_uuid or plan.collection_uuid not in ("", uuid):
        raise StageMissing(
            f"The index {plan.collection} was retired or made again since batch {plan.batch} was"
            " planned: run precompute_results again."
        )
    return target


def of_comparisons(batches: Iterable[OpenBatch]) -> list[OpenBatch]:
    """Those that stand for what an index lacks. Events, backfills and second tries hand out batches
    too, and an index is whole without them."""
    return [
        batch for batch in batches if batch.source.split(maxsplit=1)[0].rstrip(":") == COMPARISON
    ]


def lacks(ledger: Ledger, target: TargetId) -> list[OpenBatch]:
    """The batches that have to be done until the target's index is what its latest comparison
    found; empty where it is whole."""
    return of_comparisons(ledger.unfinished_batches(target))
