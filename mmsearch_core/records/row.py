"""What lies in Milvus."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa

from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    PassageId,
    PixelsId,
    ProductId,
    RecipeId,
    RowId,
    SegmentId,
    digest,
)
from mmsearch_core.records.segment import PassageKind, Where

# bytes of UTF-8 that an index keeps of a row's text; what is beyond is neither found nor shown
LONGEST_TEXT = 8_000
# what every row of an index says of itself
ROW_COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("row_id", "asset_id", "build", "content")]
    + [("writer", pa.int64())]
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IndexRow:
    """One row of the collection; ``vectors`` by space, None where the passage has none in that
    space."""

    row_id: RowId
    passage_id: PassageId
    segment_id: SegmentId
    asset_id: AssetId
    product_id: ProductId
    build: Build
    kind: PassageKind
    where: Where
    pixels: PixelsId
    text: str
    vectors: Mapping[str, Vector | None]

    @property
    def indexed_text(self) -> str:
        """The text, cut to what an index keeps."""
        return self.text.encode()[:LONGEST_TEXT].decode(errors="ignore")

    @property
    def content(self) -> str:
        """Digest, 16 hex digits, of everything that the row says. It is stored beside the row:
        where it is not the digest of what is read back, the row was altered."""
        names = (self.passage_id, self.segment_id, self.asset_id, self.product_id, self.build)
        texts = (*names, self.kind, str(self.where), self.pixels, self.indexed_text)
        hashed = sha256()
        for part in [text.encode() for text in texts]:
            hashed.update(b"%d:%s" % (len(part), part))
        for space, vector in sorted(self.vectors.items()):
            data = b"" if vector is None else vector.astype("<f4").tobytes()
            hashed.update(b"%s=%d:%s" % (space.encode(), len(data), data))
        return hashed.hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredRow:
    """A row as it was read back, with what was stored beside it."""

    row: IndexRow
    content: str  # IndexRow.content as it was written; "" in collections that have no such field
    writer: int  # fencing token under which it was written

    @property
    def altered(self) -> bool:
        """Whether the row no longer says what was written."""
        return self.content not in ("", self.row.content)


def content_of(rows: Iterable[IndexRow]) -> str:
    """Digest, 16 hex digits, of a set of rows: the sum of their digests modulo 2**64, so that their
    order does not matter and a row that is there twice counts twice."""
    return f"{sum(int(row.content, 16) for row in rows) % 2**64:016x}"


def build_id(source_version: str, product_text: str, recipes: Mapping[str, RecipeId]) -> Build:
    """The id of a build: these bytes, these words of the feed, these recipes."""
    return Build(
        digest(
            "build", source_version, product_text, *(f"{k}={v}" for k, v in sorted(recipes.items()))
        )
    )


def row_id(passage: PassageId, build: Build) -> RowId:
    """The primary key: the same passage of another build is another row, so both can lie side by
    side."""
    return RowId(digest("row", passage, build))
