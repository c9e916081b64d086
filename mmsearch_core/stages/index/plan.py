"""plan: the hints of a batch, each looked at again, minus what the ledger knows: a frozen list of
shards."""

import importlib.metadata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
from more_itertools import chunked

from mmsearch_core.catalog.keys import ProductOf
from mmsearch_core.catalog.look import look
from mmsearch_core.catalog.manifest import Manifest, read_manifest
from mmsearch_core.codec import to_json
from mmsearch_core.errors import StageMissing
from mmsearch_core.layout import file_key, plan_key, shard_path
from mmsearch_core.media import kind_of
from mmsearch_core.parquet import dump
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.asset import (
    Asset,
    Change,
    Kind,
    ObjectRef,
    Product,
    Removal,
    Withdrawal,
    asset_id,
)
from mmsearch_core.records.commit import Known
from mmsearch_core.records.ids import BatchId
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.report import PlanReport
from mmsearch_core.records.target import Target
from mmsearch_core.settings import MOST_SHARDS, Catalog, Settings
from mmsearch_core.shards.pace import even_pieces, shard_sizes
from mmsearch_core.shards.shard import find_plan

log = structlog.get_logger()

LOOKERS = 16
_AGAIN = ("unchanged", "failed_before")
T = TypeVar("T")


def run(*, batch: BatchId, target: Target, stores: Stores, settings: Settings) -> PlanReport:
    """Freeze the plan of the batch, unless it is frozen for the same task already; returns the
    task's report. A batch that a later comparison superseded has nothing to do, and none of its
    objects is looked at."""
    if stores.ledger.batch_status(batch) == "superseded":
        log.info("plan.superseded", batch=batch)
        return PlanReport(batch=batch, superseded=True)
    manifest = read_manifest(stores.work, batch)
    try:
        plan = find_plan(stores.work, batch)
    except StageMissing:  # another version of mmsearch made it
        plan = None
    if plan is None or not _is_of(plan, manifest, target):
        # of two plans, the one that saw older things must not be later
        looked_at = _moment(manifest, target, stores)
        changes, kinds = _look(manifest, target, stores, settings.catalog)
        plan = _freeze(
            manifest, target, stores, _pieces(changes, stores.work, settings), kinds, looked_at
        )
    log.info("plan.done", batch=batch, shards=len(plan.shards), **plan.counts)
    return PlanReport(batch=batch, shards=tuple(sorted(plan.shards)), counts=plan.counts)


def _is_of(plan: Plan, manifest: Manifest, target: Target) -> bool:
    """Whether the plan was made for this target, as it is now, and for what the manifest asks
    now."""
    planned = (plan.recipes, plan.target_id, plan.collection_uuid, plan.manifest)
    return planned == (target.recipes, target.target_id, target.collection_uuid, manifest.asked)


def _pieces(
    changes: Sequence[Change], work: ObjectStore, settings: Settings
) -> list[tuple[Kind, Sequence[Change]]]:
    """The changes of each shard, with their kind: those of different kinds differ in what they
    cost."""
    by_kind: dict[Kind, list[Change]] = defaultdict(list)
    for change in changes:
        by_kind[kind_of(change.key if isinstance(change, Removal) else change.source.key)].append(
            change
        )
    pieces: list[tuple[Kind, Sequence[Change]]] = []
    sizes = shard_sizes(work, settings)
    for kind, of_kind in by_kind.items():
        size = even_pieces(len(of_kind), sizes[kind], most=MOST_SHARDS // len(by_kind))
        pieces += [(kind, piece) for piece in chunked(of_kind, size)]
    return pieces


def versions() -> dict[str, str]:
    """The versions that stand in plans and manifests."""
    return {
        name: importlib.metadata.version(name)
        for name in ("mmsearch", "pillow", "pyarrow", "pymilvus")
    }


def _moment(manifest: Manifest, target: Target, stores: Stores) -> datetime:
    """Now, before looking; but later than what the ledger saw of these assets while a clock was
    ahead, or their changes would count as old until that moment has come (a hybrid logical clock:
    Kulkarni et al., 2014)."""
    names = [asset_id(stores.catalog.bucket, key) for key in manifest.keys]
    seen = [
        one.observed_at
        for one in stores.ledger.look_up(target.target_id, names).values()
        if one.observed_at
    ]
    return max([datetime.now(UTC), *(moment + timedelta(microseconds=1) for moment in seen)])


def _look(
    manifest: Manifest, target: Target, stores: Stores, settings: Catalog
) -> tuple[list[Change], dict[str, Counter[str]]]:
    catalog, ledger, product_of = stores.catalog, stores.ledger, ProductOf(settings.product_pattern)
    named = dict.fromkeys(manifest.keys)  # hints come twice, and of anything in the bucket
    keys = [key for key in named if key.startswith(settings.prefix) and not key.endswith("/")]
    seen = _seen(manifest, keys, catalog)
    ids = [asset_id(catalog.bucket, key) for key in keys]
    known = ledger.look_up(target.target_id, ids)
    owners = {key: product_of(key) for key in keys}
    products = ledger.products([owner for owner in owners.values() if owner])
    changes: list[Change] = []
    waiting: list[Asset] = []
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for key, found, name in zip(keys, seen, ids, strict=True):
        was, owner = known.get(name), owners[key]
        if found is None:
            verdict = "removed" if was and not manifest.partial else "gone_before_indexed"
            changes += (
                [Removal(asset_id=name, bucket=catalog.bucket, key=key)]
                if verdict == "removed"
                else []
            )
        else:
            asset = Asset(asset_id=name, product_id=owner or "", kind=kind_of(key), source=found)  # type: ignore[arg-type]
            product = products.get(owner) if owner else None
            verdict = _verdict(asset, product, was)
            # all of it, or a part of what is live
            failed = was is not None and was.failure_kind is not None
            if verdict in _AGAIN and (manifest.redo or (manifest.retry and failed)):
                verdict = "redone"
            changes += [asset] if verdict in ("added", "changed", "redone") else []
            waiting += [asset] if verdict == "waiting_for_product" else []
            changes += [_withdrawal(asset)] if verdict == "withdrawn" else []
        kinds[kind_of(key)][verdict] += 1
    ledger.wait_for_product(target.target_id, waiting)
    for asset in _sold_by_now(waiting, ledger):
        changes.append(asset)
        kinds[asset.kind].update({"waiting_for_product": -1, "added": 1})
    for removal in _moved(manifest, target, ledger):
        changes.append(removal)
        kinds[kind_of(removal.key)]["removed"] += 1
    return changes, dict(kinds)


def _seen(manifest: Manifest, keys: Sequence[str], catalog: ObjectStore) -> list[ObjectRef | None]:
    """The object at each key, as it is now."""
    listed = set(manifest.listed)

    def look_at(key: str) -> ObjectRef | None:
        return catalog.head(key) if key in listed else look(catalog, key)

    with ThreadPoolExecutor(LOOKERS) as lookers:
        return list(lookers.map(look_at, keys))


def _sold_by_now(waiting: Sequence[Asset], ledger: Ledger) -> list[Asset]:
    """Those whose product came since we asked: whoever took that feed looked for pictures that
    wait, and may have come before these did."""
    sold = ledger.products([asset.product_id for asset in waiting if asset.product_id])
    return [asset for asset in waiting if asset.product_id in sold]


def _moved(manifest: Manifest, target: Target, ledger: Ledger) -> list[Removal]:
    known = ledger.look_up(target.target_id, [removal.asset_id for removal in manifest.moved])
    return [removal for removal in manifest.moved if removal.asset_id in known]


def _verdict(asset: Asset, product: Product | None, was: Known | None) -> str:
    if product is None:
        return (
            "waiting_for_product"
            if was is None or was.state == "waiting_for_product"
            else "withdrawn"
        )
    if was is None or was.state == "waiting_for_product":
        return "added"
    same = (was.source_version, was.product_id) == (asset.source.version, asset.product_id)
    if same and was.state == "failed":
        return "failed_before"
    if same and was.state == "live" and was.product_text == product.text_digest:
        return "unchanged"
    return "changed"


def _withdrawal(asset: Asset) -> Withdrawal:
    return Withdrawal(
        asset_id=asset.asset_id, product_id=asset.product_id, kind=asset.kind, source=asset.source
    )


def _freeze(
    manifest: Manifest,
    target: Target,
    stores: Stores,
    pieces: Sequence[tuple[Kind, Sequence[Change]]],
    kinds: Mapping[str, Counter[str]],
    looked_at: datetime,
) -> Plan:
    work, ledger, batch = stores.work, stores.ledger, manifest.batch
    shards, shard_kinds = {}, {}
    for number, (kind, piece) in enumerate(pieces):
        path = shard_path(batch, number)
        owners = {change.product_id for change in piece if isinstance(change, Asset)}
        products = sorted(
            ledger.products(list(owners)).values(), key=lambda product: product.product_id
        )
        work.put(file_key(path, "changes"), dump(piece, Change))
        work.put(file_key(path, "products"), dump(products, Product))
        shards[path], shard_kinds[path] = len(piece), str(kind)
    plan = Plan(
        batch=batch,
        line="index",
        target_id=target.target_id,
        collection=target.collection,
        made_at=looked_at,
        commit=ledger.commit_number(target.target_id),
        recipes=target.recipes,
        shards=shards,
        counts=dict(sum(kinds.values(), Counter())),
        versions=versions(),
        source=manifest.source,
        kinds=kinds,
        compared=manifest.compared,
        partial=manifest.partial,
        collection_uuid=target.collection_uuid,
        manifest=manifest.asked,
        shard_kinds=shard_kinds,
    )
    work.put(plan_key(batch), to_json(plan))
    return plan
