"""Names of things: each id is a digest of what it names, so that doing work twice makes the same
name."""

from hashlib import sha256
from typing import NewType

AssetId = NewType("AssetId", str)
ProductId = NewType("ProductId", str)  # the shop's own
SegmentId = NewType("SegmentId", str)
PixelsId = NewType("PixelsId", str)
PassageId = NewType("PassageId", str)
RowId = NewType("RowId", str)
Build = NewType("Build", str)
RecipeId = NewType("RecipeId", str)
TargetId = NewType("TargetId", str)
BatchId = NewType("BatchId", str)
QueryKey = NewType("QueryKey", str)
PairId = NewType("PairId", str)
GenerationId = NewType("GenerationId", str)


def digest(*parts: str) -> str:
    """32 hex digits naming ``parts``; each part is prefixed with its length, so ("ab", "c") is not
    ("a", "bc")."""
    encoded = [part.encode() for part in parts]
    return sha256(b"".join([b"%d:%b" % (len(part), part) for part in encoded])).hexdigest()[:32]
