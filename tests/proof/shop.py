"""A shop to which things happen: its bucket and feed, and batches that are taken up, left lying and taken up again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmsearch_core.catalog.manifest import Manifest, manifest_key
from mmsearch_core.codec import to_json
from mmsearch_core.errors import StageMissing, TryLater
from mmsearch_core.records.ids import BatchId
from mmsearch_core.wiring import Runtime
from tasks import close, compare, plan
from tests.line import INDEX, do
from tests.proof.oracle import every_row, found, implied

ROUNDS = 4  # refreshes within which everything has to have settled
LATE = (TryLater, StageMissing)  # what a batch may say that the world has overtaken


@dataclass
class Work:
    """A batch and how far it came: 0 is not planned, 1 + n has done n steps."""

    batch: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    place: int = 0
    planned: bool = False


class Shop:
    """``steady`` are the assets that were live when all had last settled and that nothing has touched since."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.feed: dict[str, dict[str, Any]] = {}
        self.steady: set[str] = set()
        self.open: list[Work] = []
        self.runs = 0
        for product in ("p1", "p2", "p3"):
            self.set_product(product)

    def put(self, key: str, data: bytes) -> None:
        self.steady.discard(key)
        self.runtime.catalog.put(key, data)

    def remove(self, key: str) -> None:
        self.steady.discard(key)
        self.runtime.catalog.delete(key)

    def set_product(self, product: str, *, title: str = "", price: float = 9.5, in_stock: bool = True) -> None:
        title = title or f"Lumen {product}"
        before = self.feed.get(product)
        if before is None or before["title"]["en"] != title:
            self._disturb(product)
        line = {"product_id": product, "title": {"en": title}, "price": price, "in_stock": in_stock}
        self._write_feed({**self.feed, product: line})

    def drop_product(self, product: str) -> None:
        self._disturb(product)
        self._write_feed({name: line for name, line in self.feed.items() if name != product})

    def lose_collection(self) -> None:
        self.steady.clear()
        self.runtime.index.drop(self.runtime.target().collection)

    def compare(self, run: str | None = None) -> list[Work]:
        """Hand out what a comparison finds; the same run again is a retry."""
        self.runs += run is None
        batches = compare.work(self.runtime, run or f"run-{self.runs}")["batches"]
        new = [Work(batch) for batch in batches]
        self.open += new
        return new

    def hint(self, keys: Sequence[str]) -> None:
        """Hand out a batch as events do: keys in any order, doubled, of objects that may not be there."""
        self.runs += 1
        batch = BatchId(f"hint{self.runs}")
        manifest = Manifest(batch=batch, source="events", keys=tuple(keys))
        self.runtime.work.put(manifest_key(batch), to_json(manifest))
        self.runtime.ledger.open_batch(batch, target=self.runtime.target().target_id, source="events")
        self.open.append(Work(batch))

    def advance(self, work: Work) -> None:
        """One step of a batch: its plan, a stage of a shard, or close."""
        try:
            if not work.planned:
                shards = plan.work(self.runtime, work.batch)["shards"]
                work.steps = [(shard, stage) for shard in shards for stage in INDEX]
                work.planned = True
            elif work.place < len(work.steps):
                shard, stage = work.steps[work.place]
                do(self.runtime, shard, stage)
                work.place += 1
            else:
                self.open.remove(work)
                close.work(self.runtime, work.batch)
        except LATE:
            self.open = [other for other in self.open if other is not work]

    def take_up(self, batch: str) -> None:
        """A batch from its plan to its end."""
        work = Work(batch)
        self.open.append(work)
        self.finish(work)

    def finish(self, work: Work) -> None:
        while work in self.open:
            self.advance(work)

    def settle(self) -> None:
        """Refresh until nothing is dirty, then hold everything against the bucket."""
        for _ in range(ROUNDS):
            new = self.compare()
            if not new:
                break
            for work in new:
                self.finish(work)
        else:
            raise AssertionError(
                f"still dirty after {ROUNDS} refreshes: {compare.work(self.runtime, 'late')['counts']}"
            )
        truth = implied(self.runtime.catalog, self.runtime.index_recipes)
        assert found(self.runtime) == truth
        self.steady = {key for key, (state, _) in truth.states.items() if state == "live"}
        self.look()

    def look(self) -> None:
        """What a reader sees now: every steady asset, in one build each."""
        live = [target for target in self.runtime.ledger.targets() if target.status == "live"]
        if not live or not self.steady:
            return
        matches = every_row(self.runtime, live[0].collection)
        known = self.runtime.ledger.look_up(live[0].target_id, [match.asset_id for match in matches])
        seen = [
            known[match.asset_id].key
            for match in matches
            if match.asset_id in known and known[match.asset_id].live_build == match.build
        ]
        assert self.steady <= set(seen), f"holes: {self.steady - set(seen)}"
        assert len(seen) == len(set(seen)), "an asset is seen in two builds"

    def _disturb(self, product: str) -> None:
        self.steady = {key for key in self.steady if key.split("/")[1] != product}

    def _write_feed(self, feed: Mapping[str, dict[str, Any]]) -> None:
        self.feed = dict(feed)
        lines = [json.dumps(line) for line in self.feed.values()]
        self.runtime.catalog.put("products.jsonl", "\n".join(lines).encode())
