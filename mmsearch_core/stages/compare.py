"""compare: what the bucket and the feed say against what the ledger knows, as one set join, cut into batches.

Nothing here is believed for good: a batch holds hints (keys), and the plan looks at every object again.
"""

import codecs
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from mmsearch_core.codec import to_json
from mmsearch_core.errors import BadSettings
from mmsearch_core.ports import Ledger, ObjectStore, Stores
from mmsearch_core.records.asset import ObjectRef, Product
from mmsearch_core.records.ids import BatchId, ProductId, digest
from mmsearch_core.records.run import Target
from mmsearch_core.settings import Settings
from mmsearch_core.stages.catalog import ProductOf
from mmsearch_core.stages.close import go_live

log = structlog.get_logger()

LISTED = pa.schema([("key", pa.string()), ("version", pa.string()), ("product", pa.string())])
KNOWN = pa.schema(
    [(n, pa.string()) for n in ("key", "version", "product", "product_text", "state")] + [("attempts", pa.int64())]
)
PRODUCTS = pa.schema([("product", pa.string()), ("product_text", pa.string())])

# "writing" is a build that was never finished: always changed. A failed asset stays failed until its bytes change.
JOIN = """
    SELECT coalesce(listed.key, known.key) AS key,
           CASE WHEN listed.key IS NULL THEN 'removed'
                WHEN products.product IS NULL AND known.state = 'waiting_for_product' THEN 'waiting_for_product'
                WHEN known.key IS NULL OR known.state = 'waiting_for_product' THEN 'added'
                WHEN known.state = 'writing' OR known.version <> listed.version
                     OR known.product <> listed.product THEN 'changed'
                WHEN products.product IS NULL THEN 'product_changed'  -- the feed has it no more
                WHEN known.state = 'failed' THEN 'failed_before'
                WHEN known.product_text <> coalesce(products.product_text, '') THEN 'product_changed'
                ELSE 'unchanged' END AS verdict
    FROM listed
    FULL OUTER JOIN known ON listed.key = known.key
    LEFT JOIN products ON products.product = listed.product
"""
TO_DO = ("added", "changed", "removed", "product_changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a batch is asked to look at."""

    batch: BatchId
    source: str
    keys: tuple[str, ...]
    compared: Mapping[str, int] = field(default_factory=dict)  # counts of the comparison that made it
    partial: bool = False  # a selection: it removes nothing, and what is searched does not switch to its target
    redo: tuple[str, ...] = ()  # stages that ask their models again
    retry: bool = False  # what failed is tried again
    models: Mapping[str, str] = field(default_factory=dict)  # instead of those of the settings


def manifest_key(batch: str) -> str:
    """Where a batch's manifest lies."""
    return f"runs/{batch}/manifest.json"


def run(*, run_id: str, target: Target, stores: Stores, settings: Settings) -> dict[str, Any]:
    """Compare, write the manifests, record the batches; returns the task's report. No batch where nothing changed."""
    catalog, ledger = stores.catalog, stores.ledger
    read, unreadable = read_feed(catalog, settings.catalog.feed)
    if not read:  # a half-written feed must not empty the shop
        raise BadSettings(
            f"The feed {catalog.bucket}/{settings.catalog.feed} names no product: nothing was compared; mend it."
        )
    changed_products = ledger.put_products(read)
    product_of = ProductOf(settings.catalog.product_pattern)
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder)
        _spool(spool / "listed", LISTED, _listed(catalog, settings.catalog.pictures, product_of))
        _spool(spool / "known", KNOWN, _known(ledger, target, settings.catalog.pictures))
        _spool(spool / "products", PRODUCTS, _products(ledger))
        keys, counts = _join(spool)
    batches = []
    size = settings.shards.size * settings.shards.most
    for number, start in enumerate(range(0, len(keys), size)):
        batch = BatchId(digest("compare", run_id, target.target_id, str(number))[:16])
        manifest = Manifest(
            batch=batch, source=f"compare {run_id}", keys=tuple(keys[start : start + size]), compared=counts
        )
        stores.work.put(manifest_key(batch), to_json(manifest))
        ledger.open_batch(batch, target=target.target_id, source=manifest.source)
        batches.append(batch)
    ledger.supersede_batches(target.target_id, keep=batches)  # what they left undone is in these
    if counts["unchanged"] and not batches:
        go_live(target, settings.index.alias, ledger, stores.index)
    counts |= {"products_changed": changed_products, "feed_lines_unreadable": unreadable}
    log.info("compare.done", batches=len(batches), **counts)
    return {"stage": "compare", "batches": batches, "counts": counts, "target": target.target_id}


def read_feed(catalog: ObjectStore, key: str) -> tuple[list[Product], int]:
    """The products of the feed and how many of its lines could not be read; a product named twice: the last counts."""
    data = catalog.get(key)
    if data is None:
        raise BadSettings(f"The feed {catalog.bucket}/{key} is not there: upload it or correct catalog.feed.")
    products: dict[ProductId, Product] = {}
    unreadable = 0
    # split before decoding: only a line feed ends a line, and one bad byte costs one line
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            product = _product(json.loads(line.decode()))
            products[product.product_id] = product
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            unreadable += 1
            log.warning("compare.feed_line_unreadable", line=number, error=type(error).__name__)
    return list(products.values()), unreadable


def _product(line: Mapping[str, Any]) -> Product:
    named = ("product_id", "title", "url", "price", "currency", "in_stock")
    title = line["title"] if isinstance(line["title"], dict) else {"en": str(line["title"])}
    return Product(
        product_id=ProductId(str(line["product_id"])),
        title={str(language): str(text) for language, text in title.items()},
        url=line.get("url"),
        price=float(line["price"]) if line.get("price") is not None else None,
        currency=line.get("currency"),
        in_stock=bool(line.get("in_stock", True)),
        facts={
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in line.items()
            if name not in named
        },
    )


def _spool(path: Path, schema: pa.Schema, batches: Iterable[Mapping[str, list[Any]]]) -> None:
    with pq.ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_pydict(dict(batch), schema=schema))


def _listed(catalog: ObjectStore, prefix: str, product_of: ProductOf) -> Iterator[Mapping[str, list[Any]]]:
    chunk: list[ObjectRef] = []
    for found in catalog.list(prefix):
        chunk.append(found)
        if len(chunk) == 10_000:
            yield _listed_batch(chunk, product_of)
            chunk = []
    yield _listed_batch(chunk, product_of)


def _listed_batch(chunk: list[ObjectRef], product_of: ProductOf) -> Mapping[str, list[Any]]:
    named = [(found, product_of(found.key)) for found in chunk if not found.key.endswith("/")]
    return {
        "key": [found.key for found, _ in named],
        "version": [found.version for found, _ in named],
        "product": [product or "" for _, product in named],
    }


def _known(ledger: Ledger, target: Target, prefix: str) -> Iterator[Mapping[str, list[Any]]]:
    for batch in ledger.known(target.target_id, prefix=prefix):
        yield {
            "key": [known.key for known in batch],
            "version": [known.source_version for known in batch],
            "product": [known.product_id for known in batch],
            "product_text": [known.product_text for known in batch],
            "state": [known.state for known in batch],
            "attempts": [known.attempts for known in batch],
        }


def _products(ledger: Ledger) -> Iterator[Mapping[str, list[Any]]]:
    for batch in ledger.product_texts():
        yield {"product": [product for product, _ in batch], "product_text": [text for _, text in batch]}


def _join(spool: Path) -> tuple[list[str], dict[str, int]]:
    import duckdb

    with duckdb.connect() as database:
        for name in ("listed", "known", "products"):
            database.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{spool / name}')")  # noqa: S608
        database.execute(f"CREATE TABLE verdicts AS {JOIN}")
        counted = database.execute("SELECT verdict, count(*) FROM verdicts GROUP BY verdict").fetchall()
        keys = database.execute("SELECT key FROM verdicts WHERE verdict IN ? ORDER BY key", [TO_DO]).fetchall()
    return [key for (key,) in keys], {**dict.fromkeys((*TO_DO, "unchanged"), 0), **dict(counted)}
