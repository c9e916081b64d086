"""The whole line in one process, stage by stage, as the DAGs run it."""

import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image

from mmsearch_core.cli import session
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.records import line
from mmsearch_core.records.asset import Product
from mmsearch_core.records.line import names
from mmsearch_core.records.report import CloseReport, PublishReport
from mmsearch_core.settings import Settings
from mmsearch_core.shards.loop import run_stage
from mmsearch_core.testing.fake_models import (
    COLORS,
    FakeDecoder,
    FakeEmbedder,
    FakeVisionLanguageModel,
)
from mmsearch_core.testing.fake_tables import FakeTableReader
from mmsearch_core.testing.memory_feed import MemoryFeed
from mmsearch_core.testing.memory_index import MemoryIndex
from mmsearch_core.testing.memory_ledger import MemoryLedger
from mmsearch_core.testing.memory_memo import MemoryMemo
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import close, compare, mine, plan, publish

OTHER_MODEL = f"some/other-model@{40 * 'a'}"  # a commit, so that no hub is asked
INDEX = names(line.INDEX)
SEARCH = names(line.SEARCH)


def fake_runtime(**knobs: Any) -> Runtime:
    """Everything in memory."""
    catalog = MemoryStore("catalog")
    return Runtime(
        Settings(**knobs),
        catalog=catalog,
        query_log=catalog,
        work=MemoryStore("mmsearch"),
        ledger=MemoryLedger(),
        index=MemoryIndex(),
        memo=MemoryMemo(),
        changes=MemoryFeed(),
        decoder=FakeDecoder(),
        table_reader=FakeTableReader(),
        vlm=FakeVisionLanguageModel(),
        clip=FakeEmbedder("clip"),
        sbert=FakeEmbedder("sbert"),
    )


def commands_see(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command of ``mmsearch`` work with this runtime."""
    monkeypatch.setattr(session, "parts", lambda: runtime)
    monkeypatch.setattr(session, "runtime", lambda: runtime)


def with_knobs(runtime: Runtime, **knobs: Any) -> Runtime:
    """Another process in the same world, with other settings."""
    return runtime.having(settings=Settings(**knobs))


def at_another_milvus(runtime: Runtime) -> Runtime:
    """The same world, but that ``index.uri`` names a Milvus that somebody else uses."""
    return runtime.having(index=MemoryIndex())


def picture(color: str, size: int = 40, shade: int = 0) -> bytes:
    """A JPEG of one color; ``shade`` makes other bytes of the same color."""
    out = io.BytesIO()
    red, green, blue = COLORS[color][0]
    Image.new("RGB", (size, size), (red, green, min(255, blue + shade))).save(out, "JPEG")
    return out.getvalue()


def feed(runtime: Runtime, products: Mapping[str, str]) -> None:
    """Replace the feed: titles by product id."""
    lines = [
        json.dumps({"product_id": p, "title": {"en": title}, "price": 9.5})
        for p, title in products.items()
    ]
    runtime.catalog.put("products.jsonl", "\n".join(lines).encode())


def sell(ledger: Ledger, products: Iterable[Product], version: str = "1") -> None:
    """Record products as a feed of that version would, taking none away."""
    before = ledger.feed_state("catalog/products.jsonl")
    now = datetime.now(UTC)
    state = ledger.begin_feed(
        "catalog/products.jsonl", version=version, modified_at=now, instead_of=before
    )
    ledger.put_products(state, products, gone=())


def ask(runtime: Runtime, *queries: tuple[str, str], sessions: int = 3) -> None:
    """Fill the query log: (text, locale) pairs, each asked in several sessions."""
    lines = [
        json.dumps(
            {"time": "2026-11-20T10:00:00Z", "session": f"s{n}", "locale": locale, "query": text}
        )
        for text, locale in queries
        for n in range(sessions)
    ]
    runtime.catalog.put("queries/2026-11-20.jsonl", "\n".join(lines).encode())


def index(runtime: Runtime, run: str = "run-1") -> list[CloseReport]:
    """Compare, then every batch through the index line; returns the reports of ``close``."""
    return [index_batch(runtime, batch) for batch in compare.work(runtime, run).batches]


def index_batch(runtime: Runtime, batch: str) -> CloseReport:
    """One batch through the index line."""
    for shard in plan.work(runtime, batch).shards:
        do(runtime, shard, *INDEX)
    return close.work(runtime, batch)


def search(runtime: Runtime, run: str = "run-1") -> PublishReport:
    """The search line; returns the report of ``publish``."""
    mined = mine.work(runtime, run)
    for shard in mined.shards:
        do(runtime, shard, *SEARCH)
    return publish.work(runtime, mined.batch)


def do(runtime: Runtime, shard: str, *stages: str) -> None:
    """These stages of one shard, in order."""
    runtime = runtime.for_batch(shard.split("/")[1])
    for stage in stages:
        run_stage(runtime.stage(stage), shard, store=runtime.work, settings=runtime.settings.shards)
