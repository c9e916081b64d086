"""The stores that together hold what is true of the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmsearch_core.ports.index import VectorIndex
    from mmsearch_core.ports.ledger import Ledger
    from mmsearch_core.ports.stores import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where truth lies; ``inventory`` is where S3 Inventory writes its reports, if the bucket is
    compared by them."""

    catalog: ObjectStore
    work: ObjectStore
    ledger: Ledger
    index: VectorIndex
    inventory: ObjectStore | None = None
