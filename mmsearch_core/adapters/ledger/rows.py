"""Records to rows of the ledger's tables and back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Text, type_coerce

from mmsearch_core.adapters.ledger.schema import assets
from mmsearch_core.records.asset import Asset, Change, Product, Removal
from mmsearch_core.records.commit import BUILT_COLUMNS, KNOWN_COLUMNS, Known, Writing
from mmsearch_core.records.ids import TargetId
from mmsearch_core.records.report import Failure
from mmsearch_core.records.target import Target

WHAT = (
    "asset_id",
    "bucket",
    "key",
    "product_id",
    "source_version",
    "product_text",
    "state",
    "live_build",
)
KNOWN = [assets.c[name] for name in (*WHAT, "attempts", "observed_at", "failure_kind")]
NO_FAILURE: dict[str, None] = {"failure_stage": None, "failure_kind": None, "failure_message": None}
BUILT = [assets.c[name] for name in BUILT_COLUMNS.names]
# as the driver gives them: SQLite's text is made a moment by Arrow, a whole column at once
COLUMNS = [type_coerce(assets.c[name], Text) for name in KNOWN_COLUMNS.names]
PRODUCT = ("product_id", "title", "url", "price", "currency", "in_stock", "facts")


def target_row(target: Target) -> dict[str, Any]:
    """The columns of a target that is new."""
    return {
        "target_id": target.target_id,
        "collection": target.collection,
        "collection_uuid": target.collection_uuid,
        "recipes": {kind: dict(of_kind) for kind, of_kind in target.recipes.items()},
        "status": target.status,
        "commit_number": 0,
        "created_at": datetime.now(UTC),
    }


def asset_row(target: TargetId, asset: Asset) -> dict[str, Any]:
    """The columns that name an asset and its source."""
    return {
        "target_id": target,
        "asset_id": asset.asset_id,
        "bucket": asset.source.bucket,
        "key": asset.source.key,
        "product_id": asset.product_id,
        "source_version": asset.source.version,
    }


def doubted_row(target: TargetId, change: Change) -> dict[str, Any]:
    """The columns of an asset of which nothing is sure but its place."""
    place = change if isinstance(change, Removal) else change.source
    empty = dict.fromkeys(("product_id", "source_version", "product_text"), "")
    row = {
        "target_id": target,
        "asset_id": change.asset_id,
        "bucket": place.bucket,
        "key": place.key,
    }
    return {**row, **empty, "state": "writing", "changed_at": datetime.now(UTC)}


def writing_row(target: TargetId, writing: Writing) -> dict[str, Any]:
    """The columns of a build that is about to be written: what failed of the last one is past."""
    return {
        **asset_row(target, writing.asset),
        **NO_FAILURE,
        "product_text": writing.product_text,
        "state": "writing",
        "target_build": writing.build,
        "observed_at": writing.observed_at.astimezone(UTC),  # SQLite keeps no zone
        "changed_at": datetime.now(UTC),
    }


def product_row(product: Product) -> dict[str, Any]:
    """The columns of a product."""
    fields = {name: getattr(product, name) for name in PRODUCT}
    text, facts = product.digests
    digests = {"text_digest": text, "facts_digest": facts}
    return {**fields, "title": dict(product.title), "facts": dict(product.facts), **digests}


def to_target(row: Mapping[Any, Any]) -> Target:
    """The record of a row of targets."""
    return Target(
        target_id=TargetId(row["target_id"]),
        collection=row["collection"],
        collection_uuid=row["collection_uuid"],
        recipes=row["recipes"],
        status=row["status"],
    )


def to_known(row: Sequence[Any]) -> Known:
    """The record of a row with the columns ``KNOWN``. By position: this is done ten million times a
    night."""
    name, bucket, key, product, version, text, state, live, attempts, observed, failure = row
    return Known(
        asset_id=name,
        bucket=bucket,
        key=key,
        product_id=product,
        source_version=version,
        product_text=text,
        state=state,
        live_build=live,
        attempts=attempts,
        observed_at=in_utc(observed) if observed else None,
        failure_kind=failure,
    )


def to_columns(rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Rows with the columns ``COLUMNS``, column by column."""
    *texts, observed = zip(*rows, strict=True)
    moments = pa.array(observed)
    if pa.types.is_string(moments.type):  # SQLite
        moments = moments.cast(pa.timestamp("us"))
    arrays = [
        *(pa.array(text, pa.string()) for text in texts),
        moments.cast(KNOWN_COLUMNS.field("observed_at").type),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=KNOWN_COLUMNS)


def to_built(rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Rows with the columns ``BUILT``, column by column."""
    columns = zip(BUILT_COLUMNS, zip(*rows, strict=True), strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for field, values in columns], schema=BUILT_COLUMNS
    )


def in_utc(moment: datetime) -> datetime:
    """A moment as the database gave it; SQLite keeps no zone, and all of ours are UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def to_failure(row: Mapping[Any, Any]) -> Failure:
    """The failure in a row of assets."""
    return Failure(
        record_id=row["asset_id"],
        stage=row["failure_stage"],
        kind=row["failure_kind"],
        message=row["failure_message"],
    )


def to_product(row: Mapping[Any, Any]) -> Product:
    """The record of a row of products."""
    return Product(**{**{name: row[name] for name in PRODUCT}, "in_stock": bool(row["in_stock"])})
