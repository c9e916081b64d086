"""Products that were removed or sold out since the current results were published.

``results/WITHDRAWN.json`` names them; whoever serves a list leaves them out. No such object means
no such product.
"""

from dataclasses import dataclass

from mmsearch_core.codec import from_json
from mmsearch_core.layout import WITHDRAWN
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import GenerationId, ProductId


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """Ids, sorted, of products in the lists of ``generation`` that are not to be shown."""

    generation: GenerationId
    products: tuple[ProductId, ...]


def read_withdrawn(store: ObjectStore) -> frozenset[ProductId]:
    """The products not to be shown. They are left out of any generation: a product that was
    withdrawn from the last one is not for sale either while the ids of a new one are not written
    yet."""
    data = store.get(WITHDRAWN)
    return frozenset(from_json(data, Withdrawn).products) if data else frozenset()
