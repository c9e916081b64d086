"""A shop with some queries and several nights of the search line, on fakes."""

import json
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from mmsearch_core.layout import CURRENT, generation_key, products_key
from mmsearch_core.records.report import PublishReport
from mmsearch_core.serving.generation import read_current, read_generation
from mmsearch_core.serving.results import Results
from mmsearch_core.testing.fake_models import COLORS, nearest_color
from mmsearch_core.wiring.batches import Runtime
from tasks import gates, mine, publish
from tests.line import SEARCH, ask, do, fake_runtime, feed, index, picture

QUERIES = tuple(
    f"{first} {second} dress".replace("  ", " ")
    for first in COLORS
    for second in ("", *COLORS)
    if first != second
)


def shop(**search: Any) -> Runtime:
    """One product of each color, and sixteen queries that find them; each list has all of them."""
    runtime = fake_runtime(search={"least_likely": 0, "buckets": 16, **search})
    feed(runtime, {f"p{number}": f"Lumen {number}" for number in range(len(COLORS))})
    for number, color in enumerate(COLORS):
        runtime.catalog.put(f"pictures/p{number}/1.jpg", picture(color))
    index(runtime)
    ask(runtime, *((query, "en") for query in QUERIES))
    return runtime


def forget_picture(runtime: Runtime, color: str) -> None:
    """Nothing is known of the picture of this color any more: its product cannot be judged."""
    recipe = runtime.live_target().recipes["picture"]["describe"]
    for found in list(runtime.work.list("pixels/")):
        if nearest_color(runtime.work.get(found.key) or b"") == color:
            runtime.work.delete(found.key)
            runtime.memo.forget(recipe, [PurePosixPath(found.key).stem])


def judged(runtime: Runtime, run: str, queries: Sequence[str] = ()) -> str:
    """A batch that has been through all stages but the last ones; the log is first rewritten if
    queries are given."""
    if queries:
        ask(runtime, *((query, "en") for query in queries))
    mined = mine.work(runtime, run)
    for shard in mined.shards:
        do(runtime, shard, *SEARCH)
    return str(mined.batch)


def night(runtime: Runtime, run: str, queries: Sequence[str] = ()) -> PublishReport:
    """A whole night as Airflow runs it where nobody has to be asked; the report of ``publish``."""
    batch = judged(runtime, run, queries)
    assert not gates.work(runtime, batch).ask
    return publish.work(runtime, batch)


def products(runtime: Runtime, query: str) -> list[str] | None:
    """What a storefront shows for the query, None where it has no list."""
    listed = Results(runtime.work).look_up(query, "en")
    return None if listed is None else [hit.product_id for hit in listed.hits]


def current(runtime: Runtime) -> str:
    """The name of the current generation."""
    pointer = read_current(runtime.work)
    assert pointer
    return pointer.generation


def make_older(runtime: Runtime) -> None:
    """Rewrite the current generation as schema 1 had it: one score per hit, evidence that names a
    ``picture``, no time of the plan."""
    manifest = read_generation(runtime.work, read_current(runtime.work).generation)  # type: ignore[union-attr]
    for key in manifest.buckets.values():
        entries = json.loads(runtime.work.get(key) or b"")
        for entry in entries.values():
            for hit in entry["hits"]:
                relevance, fused = hit.pop("relevance"), hit.pop("fused")
                hit["score"] = fused if relevance is None else relevance
                hit["evidence"]["picture"] = hit["evidence"].pop("key")
        runtime.work.put(key, json.dumps(entries, ensure_ascii=False, sort_keys=True).encode())
    plain = json.loads(runtime.work.get(generation_key(manifest.generation)) or b"")
    plain = {
        name: value for name, value in plain.items() if name not in ("planned_at", "incomplete")
    }
    runtime.work.put(
        generation_key(manifest.generation),
        json.dumps({**plain, "schema": 1, "content": "old"}).encode(),
    )
    runtime.work.delete(products_key(manifest.generation))


class Interrupted:
    """A store in which something happens right before a key is written conditionally, the first
    ``times`` times."""

    def __init__(
        self, store: Any, meanwhile: Callable[[], object], key: str = CURRENT, times: int = 1
    ) -> None:
        self._store, self._meanwhile, self._key, self._left = store, meanwhile, key, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, key: str, data: bytes, **conditions: Any) -> str:
        if key == self._key and self._left:
            self._left -= 1
            self._meanwhile()
        return str(self._store.put(key, data, **conditions))
