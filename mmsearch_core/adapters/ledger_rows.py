"""Records to rows of the ledger's tables and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mmsearch_core.records.asset import Asset, Change, Product, Removal
from mmsearch_core.records.commit import Known, Writing
from mmsearch_core.records.ids import AssetId, Build, ProductId, RecipeId, TargetId
from mmsearch_core.records.run import Failure, Target

PRODUCT = ("product_id", "title", "url", "price", "currency", "in_stock", "facts")


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
    row = {"target_id": target, "asset_id": change.asset_id, "bucket": place.bucket, "key": place.key}
    return {**row, **empty, "state": "writing", "changed_at": datetime.now(UTC)}


def writing_row(target: TargetId, writing: Writing) -> dict[str, Any]:
    """The columns of a build that is about to be written."""
    return {
        **asset_row(target, writing.asset),
        "product_text": writing.product_text,
        "state": "writing",
        "target_build": writing.build,
        "observed_at": writing.observed_at,
        "changed_at": datetime.now(UTC),
    }


def product_row(product: Product) -> dict[str, Any]:
    """The columns of a product."""
    fields = {name: getattr(product, name) for name in PRODUCT}
    digests = {"text_digest": product.text_digest, "facts_digest": product.facts_digest}
    return {**fields, "title": dict(product.title), "facts": dict(product.facts), **digests}


def to_target(row: Mapping[Any, Any]) -> Target:
    """The record of a row of targets."""
    return Target(
        target_id=TargetId(row["target_id"]),
        collection=row["collection"],
        collection_uuid=row["collection_uuid"],
        recipes={name: RecipeId(recipe) for name, recipe in row["recipes"].items()},
        status=row["status"],
    )


def to_known(row: Mapping[Any, Any]) -> Known:
    """The record of a row of assets."""
    return Known(
        asset_id=AssetId(row["asset_id"]),
        bucket=row["bucket"],
        key=row["key"],
        product_id=ProductId(row["product_id"]),
        source_version=row["source_version"],
        product_text=row["product_text"],
        state=row["state"],
        live_build=Build(row["live_build"]) if row["live_build"] else None,
        attempts=row["attempts"],
    )


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
