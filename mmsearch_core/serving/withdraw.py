"""What was removed or sold out since the results were published is not to be shown:
``results/WITHDRAWN.json``."""

from collections.abc import Iterator

import structlog

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import PreconditionFailed, SchemaMismatch
from mmsearch_core.layout import WITHDRAWN
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import ProductId
from mmsearch_core.serving.generation import (
    Generation,
    find_generation,
    read_current,
    read_products,
)
from mmsearch_core.serving.versioned import read_versioned, replace_versioned
from mmsearch_core.serving.withdrawn import Withdrawn

log = structlog.get_logger()

TRIES = 3


def withdraw(work: ObjectStore, ledger: Ledger) -> None:
    """Write which products of the current lists the ledger does not have in stock, unless it is
    written so already.

    Called after anything that changes the ledger's products or the current generation, so it has to
    be cheap: one small file of product ids, one look-up. Two writers at once are told apart by the
    ETag. One that lost twice need not try again: whoever won the second time had read the ledger
    after this one began.
    """
    for _ in range(TRIES):
        before = read_versioned(work, WITHDRAWN)  # first: the ledger is read after it
        manifest = _current(work)
        if manifest is None:
            return
        now = Withdrawn(
            generation=manifest.generation, products=tuple(sorted(_gone(work, ledger, manifest)))
        )
        if before is None and not now.products:
            return
        if before is not None and from_json(before.data, Withdrawn) == now:
            return
        try:
            replace_versioned(work, WITHDRAWN, to_json(now), before)
        except PreconditionFailed:
            continue
        log.info("withdraw.done", generation=now.generation, products=len(now.products))
        return
    log.info("withdraw.left_to_others")


def _current(work: ObjectStore) -> Generation | None:
    """The current generation, if there is one that this version can read: the index line goes on
    without."""
    current = read_current(work)
    try:
        return find_generation(work, current.generation) if current else None
    except SchemaMismatch as error:
        log.warning("withdraw.left_out", why=str(error))
        return None


def _gone(work: ObjectStore, ledger: Ledger, manifest: Generation) -> Iterator[ProductId]:
    for products in read_products(work, manifest):
        known = ledger.products(products)
        for product in products:
            if product not in known or not known[product].in_stock:
                yield product
