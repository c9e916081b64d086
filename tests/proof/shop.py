"""A shop to which things happen: its bucket and feed, and batches that are taken up, left lying and
taken up again."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from mmsearch_core.catalog.manifest import Manifest
from mmsearch_core.codec import to_json
from mmsearch_core.errors import FeedBroken, StageMissing, TooManyRemovals, TryLater
from mmsearch_core.layout import manifest_key
from mmsearch_core.records.ids import BatchId
from mmsearch_core.records.message import Message
from mmsearch_core.records.report import DrainReport
from mmsearch_core.records.target import Target
from mmsearch_core.testing.memory_feed import MemoryFeed
from mmsearch_core.wiring.batches import Runtime
from tasks import close, compare, drain, plan, redrive
from tests.line import INDEX, at_another_milvus, do
from tests.proof.oracle import (
    DOCUMENTS,
    Cell,
    cells_of,
    every_cell,
    every_row,
    facts,
    found,
    implied,
    products,
    sold_by,
)

FEED = "products.jsonl"
APPROVED = 1000  # removals, by a person who knows what the shop did
ROUNDS = 4  # refreshes within which everything has to have settled
LATE = (TryLater, StageMissing)  # what a batch may say that the world has overtaken


class Impatient(MemoryFeed):
    """Nothing more comes, so nobody waits for it."""

    def receive(self, limit: int, *, wait: float) -> list[Message]:
        return super().receive(limit, wait=0)


@dataclass
class Work:
    """A batch and how far it came: 0 is not planned, 1 + n has done n steps."""

    batch: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    place: int = 0
    planned: bool = False


class Slept:
    """A ledger whose process sleeps before its first call of this name, while something happens."""

    def __init__(self, ledger: Any, call: str, happens: Callable[[], None]) -> None:
        self._ledger, self._call, self._happens, self.woke = ledger, call, happens, False

    def __getattr__(self, name: str) -> Any:
        if name == self._call and not self.woke:
            self.woke = True
            self._happens()
        return getattr(self._ledger, name)


class Shop:
    """``steady`` are the assets that were live when all had last settled and that nothing has
    touched since; ``feed`` is what the shop wrote last, and ``sold`` what has to be known of it, by
    product."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.feed: dict[str, dict[str, Any]] = {}
        self.sold: Mapping[str, Any] = {}
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

    def set_product(
        self, product: str, *, title: str = "", price: float = 9.5, in_stock: bool = True
    ) -> None:
        title = title or f"Lumen {product}"
        before = self.feed.get(product)
        if before is None or before["title"]["en"] != title:
            self._disturb(product)
        line = {"product_id": product, "title": {"en": title}, "price": price, "in_stock": in_stock}
        self._write_feed({**self.feed, product: line})

    def drop_product(self, product: str) -> None:
        self._disturb(product)
        self._write_feed({name: line for name, line in self.feed.items() if name != product})

    def break_line(self, product: str, **wrong: Any) -> None:
        """An exporter's mistake in the line of one product: what is known of it stays."""
        line = self.feed.get(product) or {
            "product_id": product,
            "title": {"en": "Broken"},
            "price": 1.5,
        }
        self._write_feed({**self.feed, product: {**line, "in_stock": True, **wrong}})

    def cut_feed(self, share: float) -> None:
        """An upload of the feed that breaks off. Where too much is missing, neither the night nor
        an event believes it; then the whole feed comes."""
        whole = self._feed()
        self.runtime.catalog.put(FEED, whole[: int(share * len(whole))])
        if self._sold(0) is None:
            with pytest.raises((FeedBroken, TooManyRemovals)):
                compare.work(self.runtime, f"half-{self.runs}")
            self.drain()
        self.runtime.catalog.put(FEED, whole)

    def lose_collection(self) -> None:
        self.steady.clear()
        self.runtime.index.drop(self.runtime.named_target().collection)

    def compare(self, run: str | None = None) -> list[Work]:
        """Hand out what a comparison finds; the same run again is a retry. A person has approved
        what is gone."""
        self.runs += run is None
        self.sold = self.said()
        batches = compare.work(
            self.runtime, run or f"run-{self.runs}", approve_removals=APPROVED
        ).batches
        return self._take_up(batches)

    def compare_late(self, call: str, happens: Callable[[], None]) -> list[Work]:
        """A comparison that has looked at the feed and sleeps before this call of the ledger, while
        something happens and another comparison begins and ends."""

        def meanwhile() -> None:
            happens()
            self.compare()

        slept = Slept(self.runtime.ledger, call, meanwhile)
        late = self.runtime.having(ledger=slept)
        self.runs += 1
        batches = compare.work(late, f"late-{self.runs}", approve_removals=APPROVED).batches
        if not slept.woke:
            meanwhile()
        assert products(self.runtime.ledger) == facts(self.sold)
        return self._take_up(batches)

    def drain(self) -> list[Work]:
        """An event of the feed; nobody has approved anything."""
        self.runs += 1
        sold = self._sold(0)
        changes = Impatient()
        s3 = {"bucket": {"name": self.runtime.catalog.bucket}, "object": {"key": FEED}}
        changes.send(json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": s3}]}))
        self.runtime = self.runtime.having(changes=changes)
        try:
            report = drain.work(self.runtime, f"drain-{self.runs}")
        except StageMissing:  # the collection was lost
            report = DrainReport()
        if report.target is None:  # the message waits for the comparison that builds the index
            assert changes.waiting() == 1
            return []
        self.sold = self.sold if sold is None else sold
        assert report.feed
        assert bool(report.feed.refused) == (sold is None)
        assert changes.waiting() == 0
        assert products(self.runtime.ledger) == facts(self.sold)
        return self._take_up(report.batches)

    def hint(self, keys: Sequence[str]) -> None:
        """Hand out a batch as events do: keys in any order, doubled, of objects that may not be
        there."""
        self.runs += 1
        batch = BatchId(f"hint{self.runs}")
        source = f"drain {self.runs}"
        manifest = Manifest(batch=batch, source=source, keys=tuple(keys))
        self.runtime.work.put(manifest_key(batch), to_json(manifest))
        self.runtime.ledger.open_batch(
            batch, target=self.runtime.named_target().target_id, source=source
        )
        self.open.append(Work(batch))

    def advance(self, work: Work) -> None:
        """One step of a batch: its plan, a stage of a shard, or close."""
        try:
            if not work.planned:
                shards = plan.work(self.runtime, work.batch).shards
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

    def said(self) -> Mapping[str, Any]:
        """What is sold by the feed of now, if a person believes it."""
        sold = self._sold(APPROVED)
        assert sold is not None
        return sold

    def take_up(self, batch: str) -> None:
        """A batch from its plan to its end."""
        work = Work(batch)
        self.open.append(work)
        self.finish(work)

    def start_elsewhere(self, work: Work | None) -> None:
        """Start tasks, some of this batch, with another Milvus: they change nothing, there or in
        the ledger."""
        wrong, before = at_another_milvus(self.runtime), self._ledger()
        tasks: list[Callable[[], object]] = [
            lambda: drain.work(wrong, "x"),
            lambda: redrive.work(wrong, '{"run": "x"}'),
        ]
        if work is not None:
            upserts = [shard for shard, stage in work.steps[work.place :] if stage == "upsert"]
            tasks += [lambda: plan.work(wrong, work.batch), lambda: close.work(wrong, work.batch)]
            tasks += [lambda shard=shard: do(wrong, shard, "upsert") for shard in upserts]  # type: ignore[misc]
        for task in tasks:
            with suppress(StageMissing):
                task()
        assert self._ledger() == before
        assert wrong.index.writes == 0  # type: ignore[attr-defined]

    def _ledger(self) -> object:
        ledger = self.runtime.ledger
        targets = ledger.targets()
        known = [one for it in targets for batch in ledger.known(it.target_id) for one in batch]
        return targets, known, [ledger.unfinished_batches(it.target_id) for it in targets]

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
                f"still dirty after {ROUNDS} refreshes:"
                f" {compare.work(self.runtime, 'late', APPROVED).counts}"
            )
        truth = implied(self.runtime.catalog, self.runtime.index_recipes, self.sold)
        assert found(self.runtime) == truth
        self.steady = {key for key, (state, _) in truth.states.items() if state == "live"}
        self.look()

    def look(self) -> None:
        """What a reader sees now: every steady asset, in one build each."""
        live = [target for target in self.runtime.ledger.targets() if target.status == "live"]
        if not live or not self.steady:
            return
        matches = every_row(self.runtime, live[0].collection)
        known = self.runtime.ledger.look_up(
            live[0].target_id, [match.asset_id for match in matches]
        )
        seen = [
            (known[match.asset_id].key, match.passage_id)
            for match in matches
            if match.asset_id in known and known[match.asset_id].live_build == match.build
        ]
        keys = {key for key, _ in seen}
        assert self.steady <= keys, f"holes: {self.steady - keys}"
        assert len(seen) == len(set(seen)), "a passage is seen in two builds"
        self._look_at_tables(live[0])

    def _look_at_tables(self, target: Target) -> None:
        """What a reader sees of the tables is all of one version of a document, and of the steady
        documents it is the version that is in the bucket."""
        by_build: dict[tuple[str, str], set[Cell]] = defaultdict(set)
        for key, build, cell in every_cell(self.runtime, target):
            by_build[key, build].add(cell)
        whole = {cells_of(pages) for pages in DOCUMENTS.values()}
        assert {frozenset(cells) for cells in by_build.values()} <= whole, "a part of a document"
        assert len({key for key, _ in by_build}) == len(by_build), "a document in two builds"
        shown = {key: cells for (key, _), cells in by_build.items()}
        for key in self.steady:
            data = self.runtime.catalog.get(key) or b""
            if key.endswith(".pdf"):
                assert shown.get(key, set()) == cells_of(DOCUMENTS[data]), key

    def _take_up(self, batches: Sequence[str]) -> list[Work]:
        new = [Work(batch) for batch in batches]
        self.open += new
        return new

    def _feed(self) -> bytes:
        return self.runtime.catalog.get(FEED) or b""

    def _sold(self, approved: int) -> Mapping[str, Any] | None:
        """What is sold once the feed is read, or None if it has to be refused."""
        limits = self.runtime.settings.catalog
        return sold_by(
            self._feed(),
            self.sold,
            share=limits.removed_share,
            at_least=limits.removed_at_least,
            approved=approved,
        )

    def _disturb(self, product: str) -> None:
        self.steady = {key for key in self.steady if key.split("/")[1] != product}

    def _write_feed(self, feed: Mapping[str, dict[str, Any]]) -> None:
        self.feed = dict(feed)
        lines = [json.dumps(line) for line in self.feed.values()]
        self.runtime.catalog.put(FEED, "\n".join(lines).encode())
