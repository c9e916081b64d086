"""What a key of the catalog bucket says by itself: the product it belongs to and the kind of the
asset."""

import re
from pathlib import PurePosixPath

from mmsearch_core.errors import BadSettings
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.ids import ProductId

KINDS: dict[str, Kind] = {
    **dict.fromkeys((".mp4", ".mov", ".mkv", ".webm", ".avi"), "video"),
    **dict.fromkeys((".pdf",), "document"),
}


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


def kind_of(key: str) -> Kind:
    """By the key's ending; what has none of a video or a document is opened as a picture."""
    return KINDS.get(PurePosixPath(key).suffix.lower(), "picture")
