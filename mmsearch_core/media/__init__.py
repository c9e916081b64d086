"""The kinds of assets, one file each."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from mmsearch_core.media.document import DOCUMENT
from mmsearch_core.media.kind import Media
from mmsearch_core.media.picture import PICTURE
from mmsearch_core.media.video import VIDEO
from mmsearch_core.records.asset import Kind

__all__ = ["KINDS", "Kinds", "Media", "kind_of"]

Kinds = Mapping[str, Media]  # by their names

KINDS: Kinds = {kind.name: kind for kind in (PICTURE, VIDEO, DOCUMENT)}


def kind_of(key: str) -> Kind:
    """The kind of the asset at ``key``, by its ending; what has none of a video or a document is
    opened as a picture."""
    ending = PurePosixPath(key).suffix.lower()
    for kind in KINDS.values():
        if ending in kind.endings:
            return kind.name
    return "picture"
