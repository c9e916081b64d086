"""What a night costs in which nothing changed."""

import json
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.records.asset import Asset, ObjectRef, Product, asset_id
from mmsearch_core.records.commit import Made, Writing
from mmsearch_core.records.ids import PassageId, PixelsId, ProductId, RowId, SegmentId
from mmsearch_core.records.row import IndexRow, content_of
from mmsearch_core.records.segment import Whole
from mmsearch_core.records.target import Target
from mmsearch_core.stages.index.commit import build_of
from mmsearch_core.wiring.batches import Runtime
from tasks import compare
from tests.bench.row import Row, peak_memory_of_task
from tests.bench.row import compare as side_by_side
from tests.line import sell
from tests.servers import running

KEYS, A_PRODUCT, UPLOADERS = 20_000, 5, 16
WRITINGS = 2_000  # a transaction of the ledger


def plan_unchanged() -> list[Row]:
    """Compare, which hands out no batch and so leaves nothing to plan, against the bare listing of
    the same keys."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        runtime = Runtime(settings)
        products = upload(runtime)
        remember(runtime, products)
        nights = iter(range(1000))

        def ours() -> None:
            report = compare.work(runtime, f"night {next(nights)}")
            assert (report.batches, report.counts["unchanged"]) == ((), KEYS)

        def reference() -> None:
            assert sum(1 for _ in runtime.catalog.list("pictures/")) == KEYS

        work = (
            f"{KEYS} keys, none changed: compare, which reads every row back, against a bare"
            " listing"
        )
        rows = side_by_side("plan_unchanged", ours, reference, items=KEYS, unit="keys", work=work)
        peak = peak_memory_of_task(Path(folder), "compare", "--run", "memory")
    return [replace(row, peak_memory_mb=peak) for row in rows]


def upload(runtime: Runtime) -> list[Product]:
    """A bucket of many small objects, and their feed."""
    for store in (runtime.catalog, runtime.work):
        assert isinstance(store, S3Store)
        store.create()
    products = [
        Product(product_id=ProductId(f"p{number:05}"), title={"en": f"Lumen {number}"}, facts={})
        for number in range(KEYS // A_PRODUCT)
    ]
    lines = [
        json.dumps({"product_id": product.product_id, "title": dict(product.title)})
        for product in products
    ]
    runtime.catalog.put("products.jsonl", "\n".join(lines).encode())
    keys = [
        f"pictures/{product.product_id}/{number}.jpg"
        for product in products
        for number in range(A_PRODUCT)
    ]
    with ThreadPoolExecutor(UPLOADERS) as uploaders:
        list(uploaders.map(lambda key: runtime.catalog.put(key, key.encode()), keys))
    return products


def remember(runtime: Runtime, products: list[Product]) -> None:
    """Ledger and index, by their own methods, as if all of it were indexed: a row for each
    picture."""
    target, ledger = runtime.build_target(), runtime.ledger
    sell(ledger, products)
    texts = {product.product_id: product.text_digest for product in products}
    spaces = {embedder.space: embedder.dimension for embedder in (runtime.clip, runtime.sbert)}
    token = ledger.take_lease(f"index:{target.target_id}", holder="bench", seconds=3600)
    listing = runtime.catalog.list("pictures/")
    while found := list(islice(listing, WRITINGS)):
        writings = [writing(ref, texts, target) for ref in found]
        builds = {each.asset.asset_id: each.build for each in writings}
        rows = {each.asset.asset_id: row(each, spaces) for each in writings}
        made = {
            asset: Made(build=it.build, rows=1, content=content_of([it]))
            for asset, it in rows.items()
        }
        assert ledger.begin(target.target_id, writings, token=token) == set(builds)
        runtime.index.upsert(target.collection, list(rows.values()), writer=token)
        ledger.commit(target.target_id, made, token=token)
        ledger.settle(target.target_id, builds, token=token)
    ledger.give_lease(f"index:{target.target_id}", holder="bench")


def row(made: Writing, spaces: Mapping[str, int]) -> IndexRow:
    """What upsert would write of it."""
    name = made.asset.asset_id
    return IndexRow(
        row_id=RowId(name),
        passage_id=PassageId(name),
        segment_id=SegmentId(name),
        asset_id=name,
        product_id=made.asset.product_id,
        build=made.build,
        kind="caption",
        where=Whole(),
        pixels=PixelsId(name),
        text=f"red dress {name}",
        vectors={space: np.full(size, size**-0.5, np.float32) for space, size in spaces.items()},
    )


def writing(ref: ObjectRef, texts: Mapping[ProductId, str], target: Target) -> Writing:
    """What upsert would record of the object."""
    owner = ProductId(ref.key.split("/")[1])
    asset = Asset(
        asset_id=asset_id(ref.bucket, ref.key), product_id=owner, kind="picture", source=ref
    )
    build = build_of(asset, texts[owner], target.recipes)
    return Writing(
        asset=asset, build=build, product_text=texts[owner], observed_at=datetime.now(UTC)
    )
