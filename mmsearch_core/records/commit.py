"""What the ledger holds of an asset, and what it is asked to make live."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyarrow as pa

from mmsearch_core.records.asset import Asset
from mmsearch_core.records.ids import AssetId, Build, ProductId
from mmsearch_core.records.report import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the ledger holds of an asset in one target."""

    asset_id: AssetId
    bucket: str
    key: str
    product_id: ProductId
    source_version: str
    product_text: str  # Product.text_digest that the live build was made with
    state: Literal["writing", "live", "failed", "waiting_for_product"]
    live_build: Build | None
    attempts: int
    observed_at: datetime | None = None  # when the plan of its last writing looked at the object
    # why it has no rows or, where it is live, what is missing from them
    failure_kind: str | None = None


# what a comparison joins on
KNOWN_COLUMNS = pa.schema(
    [
        (name, pa.string())
        for name in ("bucket", "key", "source_version", "product_id", "product_text", "state")
    ]
    + [("observed_at", pa.timestamp("us", "UTC"))]
)
# what a feed is compared with
PRODUCT_COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("product_id", "text_digest", "facts_digest")]
)

# what an index is held against
BUILT_COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("asset_id", "state", "live_build")]
    + [("rows", pa.int64()), ("content", pa.string())]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """An intention to make a build live: recorded before Milvus is touched."""

    asset: Asset
    build: Build
    product_text: str
    observed_at: datetime  # when the plan looked at the object


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A build whose rows were written. ``failure`` says what could not be made of an asset that has
    rows all the same, such as its description: re-drive tries it again."""

    build: Build
    rows: int
    content: str  # ``row.content_of`` the rows
    failure: Failure | None = None
