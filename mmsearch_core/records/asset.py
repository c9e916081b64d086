"""What lies in the catalog bucket and what the shop sells, and the ways in which either can
change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mmsearch_core.records.ids import AssetId, ProductId, digest

Kind = Literal["picture", "video", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """An object as the store showed it at one moment."""

    bucket: str
    key: str
    etag: str
    size: int  # bytes
    last_modified: datetime
    version_id: str | None = None

    @property
    def version(self) -> str:
        """What tells this state of the object from any other: the version id, or ETag and size."""
        return self.version_id or f"{self.etag}:{self.size}"


def asset_id(bucket: str, key: str) -> AssetId:
    """The id of the asset that lies at ``key``: a name for the place, whatever bytes are there."""
    return AssetId(digest("asset", bucket, key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """An object of the catalog bucket to be indexed, as the plan saw it."""

    asset_id: AssetId
    product_id: ProductId
    kind: Kind
    source: ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """An asset whose object is gone, or that is no longer of the catalog."""

    asset_id: AssetId
    bucket: str
    key: str
    # the catalog's bucket or prefix is another now: it goes, whatever lies there
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """An asset whose object is there and whose product the feed no longer has: its rows go, and it
    waits."""

    asset_id: AssetId
    product_id: ProductId
    kind: Kind
    source: ObjectRef


Change = Asset | Removal | Withdrawal


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What the shop says of a product. Price and stock change hourly and are never in the index."""

    product_id: ProductId
    title: Mapping[str, str]  # by language: {"en": …, "zh": …}
    url: str | None = None
    price: float | None = None
    currency: str | None = None
    in_stock: bool = True
    facts: Mapping[str, str]  # everything else in the feed line, as text

    @property
    def text_digest(self) -> str:
        """Digest of what is searchable: when it changes, and only then, the product's text is
        embedded again."""
        return digest(
            "text", *(f"{language}={title}" for language, title in sorted(self.title.items()))
        )

    @property
    def facts_digest(self) -> str:
        """Digest of the whole feed line."""
        return self.digests[1]

    @property
    def digests(self) -> tuple[str, str]:
        """``text_digest`` and ``facts_digest``: the first is a part of the second."""
        text = self.text_digest
        others = (f"{name}={value}" for name, value in sorted(self.facts.items()))
        return text, digest(
            text, repr((self.url, self.price, self.currency, self.in_stock)), *others
        )
