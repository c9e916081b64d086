"""What benchmarks run on: a catalog of drawn pictures in a real bucket."""

import io

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.demo.catalog import pictures_of, sample_products
from mmsearch_core.settings import Settings
from mmsearch_core.wiring.batches import Runtime
from tasks import compare, plan
from tests.line import do, feed

SIDE = 512  # pixels


def shop(settings: Settings, count: int) -> Runtime:
    """A catalog of about ``count`` drawn pictures, ``SIDE`` a side."""
    from PIL import Image

    runtime = Runtime(settings)
    for store in (runtime.catalog, runtime.work):
        assert isinstance(store, S3Store)
        store.create()
    products = sample_products(count, 7)
    for product in products:
        data = next(iter(pictures_of(product, 7)))
        out = io.BytesIO()
        with Image.open(io.BytesIO(data)) as drawn:
            drawn.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
        runtime.catalog.put(f"pictures/{product.product_id}/1.jpg", out.getvalue())
    feed(runtime, {product.product_id: product.product_id for product in products})
    return runtime


def decoded_shards(runtime: Runtime, run: str = "bench") -> tuple[str, ...]:
    """The shards of the whole catalog, decoded."""
    (batch,) = compare.work(runtime, run).batches
    shards = plan.work(runtime, batch).shards
    for shard in shards:
        do(runtime, shard, "decode")
    return shards
