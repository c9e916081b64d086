"""publish at ten thousand queries of fifty hits each, in a process of its own: its time and its
peak of memory."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote

from mmsearch_core.codec import to_json
from mmsearch_core.errors import PreconditionFailed
from mmsearch_core.layout import plan_key, shard_path
from mmsearch_core.parquet import dump
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.records.ids import (
    AssetId,
    BatchId,
    PairId,
    PassageId,
    PixelsId,
    ProductId,
    RecipeId,
    SegmentId,
    TargetId,
    digest,
)
from mmsearch_core.records.line import SEARCH, names
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.query import PopularQuery, StandardQuery, query_key
from mmsearch_core.records.ranking import Candidate, Judgement
from mmsearch_core.records.report import Failure, ShardReport
from mmsearch_core.records.segment import Whole
from tests.bench.row import Row, peak_memory_mb

QUERIES, HITS, A_SHARD, PRODUCTS = 10_000, 50, 100, 200_000
CHANGED = 100  # of the second night's queries one in so many has other candidates


class FolderStore:
    """A bucket in a folder: what lies in it takes no memory of the process."""

    bucket = "bench"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, key: str) -> Path:
        return self._folder / quote(key, safe="")

    def list(self, prefix: str = "") -> Iterator[ObjectRef]:
        keys = [unquote(path.name) for path in self._folder.iterdir()]
        yield from (ref for key in keys if key.startswith(prefix) and (ref := self.head(key)))

    def head(self, key: str) -> ObjectRef | None:
        data = self.get(key)
        if data is None:
            return None
        etag, now = sha256(data).hexdigest(), datetime.now(UTC)
        return ObjectRef(bucket=self.bucket, key=key, etag=etag, size=len(data), last_modified=now)

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        path = self._path(key)
        data = path.read_bytes() if path.exists() else None
        if data is not None and if_match not in (None, sha256(data).hexdigest()):
            raise PreconditionFailed(key)
        return data

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        there = self.head(key)
        if (if_none_match and there) or (if_match and (there is None or there.etag != if_match)):
            raise PreconditionFailed(key)
        self._path(key).write_bytes(data)
        return sha256(data).hexdigest()

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)


def publish_10k(queries: int = QUERIES) -> list[Row]:
    """Lists per second of a first publication and of the next night's, beside the bare read of the
    shards."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(2):
            _fill(Path(folder), queries, number)
        first, second, bare = (_measured(part, folder) for part in ("first", "second", "bare"))
    return [
        Row(
            name=f"publish_10k{suffix}",
            ours=round(queries / ours["seconds"]),
            reference=round(queries / bare["seconds"]),
            ratio=round(bare["seconds"] / ours["seconds"], 3),
            unit="lists/s",
            work=(
                f"{queries} lists of {HITS} hits in {ours['seconds']} s, {ours['cpu_seconds']} s of"
                " a core"
            ),
            peak_memory_mb=ours["peak_memory_mb"],
        )
        for suffix, ours in (("", first), (" (next night)", second))
    ]


def _measured(part: str, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.publish", part, folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _batch(night: int) -> BatchId:
    return BatchId(digest("bench", str(night))[:16])


def _fill(folder: Path, queries: int, night: int) -> None:
    """The shards of a night as its stages left them."""
    store, batch, shards = FolderStore(folder), _batch(night), {}
    for start in range(0, queries, A_SHARD):
        path = shard_path(batch, start // A_SHARD)
        numbers = range(start, min(queries, start + A_SHARD))
        shards[path] = len(numbers)
        pairs = [pair for number in numbers for pair in _pairs(number, night)]
        for name, records, kind in (
            ("popular", [_popular(number) for number in numbers], PopularQuery),
            ("standard", [_standard(number) for number in numbers], StandardQuery),
            ("candidates", [candidate for candidate, _ in pairs], Candidate),
            ("judgements", [judgement for _, judgement in pairs], Judgement),
            ("failures/standardize", [], Failure),
        ):
            store.put(f"{path}/{name}.parquet", dump(records, kind))
        for stage in names(SEARCH):
            store.put(f"{path}/reports/{stage}.json", to_json(_report(stage, path, len(numbers))))
    plan = Plan(
        batch=batch,
        line="search",
        target_id=TargetId("t"),
        collection="c",
        made_at=datetime.now(UTC) + timedelta(seconds=night),
        commit=1,
        recipes={},
        shards=shards,
        counts={},
        versions={},
    )
    store.put(plan_key(batch), to_json(plan))


def _popular(number: int) -> PopularQuery:
    text = f"query number {number}"
    aliases = (f"qwery number {number}",) if number % 3 == 0 else ()
    key = query_key(text, "en")
    return PopularQuery(
        query_key=key, text=text, locale="en", weight=1 / (1 + number), aliases=aliases
    )


def _standard(number: int) -> StandardQuery:
    popular = _popular(number)
    return StandardQuery(
        query_key=popular.query_key,
        text=popular.text,
        locale="en",
        wording={"en": popular.text},
        keywords={"en": ("red", "dress"), "zh": ("红色", "连衣裙")},
    )


def _pairs(number: int, night: int) -> Iterator[tuple[Candidate, Judgement]]:
    key, shift = (
        query_key(f"query number {number}", "en"),
        7 * night if number % CHANGED == 0 else 0,
    )
    for place in range(HITS):
        product = f"p{(number * 31 + place + shift) % PRODUCTS:07}"
        name = digest(product)
        candidate = Candidate(
            query_key=key,
            product_id=ProductId(product),
            asset_id=AssetId(name),
            segment_id=SegmentId(name),
            passage_id=PassageId(name),
            key=f"pictures/{product}/1.jpg",
            where=Whole(),
            pixels=PixelsId(name),
            text=f"red striped dress\n红色条纹连衣裙\nred dress {product}\nLumen {product}",
            ranks={"clip": place + 1, "sbert": place + 1, "bm25_en": place + 1},
            fused=round(3 / (61 + place), 9),
        )
        judgement = Judgement(
            pair_id=PairId(name),
            query_key=key,
            product_id=candidate.product_id,
            segment_id=candidate.segment_id,
            relevance=round(1 - place / 100, 6),
            verdict="相关",
            reason="color is red; pattern is striped; category is dress",
            judge="bench",
        )
        yield candidate, judgement


def _report(stage: str, path: str, read: int) -> ShardReport:
    return ShardReport(
        stage=stage,
        shard=path,
        recipe=RecipeId(""),
        fingerprint="",
        read=read,
        done=read,
        failed=0,
        inputs={},
        wrote={},
        outputs={},
        tally={},
        timing={},
    )


def _publish(folder: Path, night: int) -> None:
    from mmsearch_core.settings import Search
    from mmsearch_core.stages.search import publish
    from mmsearch_core.testing.memory_ledger import MemoryLedger

    class Stocked(MemoryLedger):
        """Everything is for sale: the look-up is the ledger's own affair."""

        def products(self, ids: Any) -> Any:
            from mmsearch_core.records.asset import Product

            return {name: Product(product_id=name, title={}, facts={}) for name in ids}

    started = time.perf_counter()
    store, settings = cast(Any, FolderStore(folder)), Search()
    report = publish.run(
        batch=_batch(night), work=store, ledger=Stocked(), settings=settings, approve=False
    )
    _say(started)
    assert report.published


def _bare(folder: Path) -> None:
    """What nobody can do without: the records out of the shards."""
    from mmsearch_core.shards.shard import Shard

    store, started = cast(Any, FolderStore(folder)), time.perf_counter()
    for number in range(QUERIES // A_SHARD):
        shard = Shard(store, shard_path(_batch(0), number))
        if store.head(f"{shard.path}/candidates.parquet"):
            shard.read("candidates", Candidate)
            shard.read("judgements", Judgement)
    _say(started)


def _say(started: float) -> None:
    measured = {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(time.process_time(), 1),
    }
    print(json.dumps({**measured, "peak_memory_mb": peak_memory_mb()}))


if __name__ == "__main__":
    PARTS = {
        "first": lambda folder: _publish(folder, 0),
        "second": lambda folder: _publish(folder, 1),
        "bare": _bare,
    }
    PARTS[sys.argv[1]](Path(sys.argv[2]))
