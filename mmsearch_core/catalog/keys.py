"""The product that a key of the catalog bucket belongs to."""

import re

from mmsearch_core.errors import BadSettings
from mmsearch_core.records.ids import ProductId


class ProductOf:
    """The product a key belongs to, by ``catalog.product_pattern``: its first group."""

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            raise BadSettings(
                f"catalog.product_pattern is not a regular expression ({error}): correct it."
            ) from error
        if self._pattern.groups < 1:
            raise BadSettings("catalog.product_pattern needs one group that holds the product id.")

    def __call__(self, key: str) -> ProductId | None:
        found = self._pattern.search(key)
        return ProductId(found.group(1)) if found else None
