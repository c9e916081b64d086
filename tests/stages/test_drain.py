"""drain: nothing that came is lost, nothing that is no picture stays, and nothing is done twice
that costs."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import pytest

from mmsearch_core.catalog.manifest import Manifest
from mmsearch_core.codec import from_json
from mmsearch_core.errors import QueueAway, StopEverything
from mmsearch_core.layout import manifest_key
from mmsearch_core.ports.stores import ChangeFeed
from mmsearch_core.records.asset import Asset, ObjectRef, asset_id
from mmsearch_core.records.ids import ProductId
from mmsearch_core.records.message import Message
from mmsearch_core.records.report import FeedReport
from mmsearch_core.stages.hints.drain import DRAINED, gather
from mmsearch_core.testing.memory_feed import MemoryFeed
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import _doorbell, compare, drain
from tests.line import fake_runtime, feed, index, index_batch, picture

QUIET = {"queue": {"quiet_seconds": 1, "longest_seconds": 30}}


class Impatient(MemoryFeed):
    """Nothing more comes, so nobody waits for it."""

    def receive(self, limit: int, *, wait: float) -> list[Message]:
        return super().receive(limit, wait=0)


class Dying(Impatient):
    """Goes away when messages are to be deleted."""

    away = True

    def delete(self, messages: Any) -> None:
        if self.away:
            raise QueueAway("The queue does not answer.")
        super().delete(messages)


@pytest.fixture
def shop() -> Runtime:
    """A catalog with a feed, and an empty queue."""
    return shop_with(Impatient())


def shop_with(changes: ChangeFeed, **knobs: Any) -> Runtime:
    runtime = fake_runtime(**(QUIET | knobs))
    runtime = runtime.having(changes=changes)
    feed(runtime, {"p1": "Red dress", "p2": "Blue shirt"})
    runtime.build_target()
    return runtime


def tell(runtime: Runtime, *keys: str, bucket: str = "catalog") -> None:
    """What the bucket would send, one message a key."""
    for key in keys:
        s3 = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}}
        said = {"Records": [{"eventName": "ObjectCreated:Put", "s3": s3}]}
        runtime.changes.send(json.dumps(said))  # type: ignore[attr-defined]


def add(runtime: Runtime, *keys: str, color: str = "red") -> None:
    """Upload pictures, and tell of it."""
    for key in keys:
        runtime.catalog.put(key, picture(color))
    tell(runtime, *keys)


def live(runtime: Runtime) -> int:
    """How many pictures are searchable."""
    return runtime.ledger.counts(runtime.target().target_id).get("live", 0)


def keys_of(runtime: Runtime, batch: str) -> set[str]:
    """What a batch is asked to look at."""
    data = runtime.work.get(manifest_key(batch))
    assert data
    return set(from_json(data, Manifest).keys)


def test_what_the_bucket_tells_is_indexed_and_the_queue_is_empty(shop: Runtime) -> None:
    """Created, written over, removed."""
    index(shop)
    add(shop, "pictures/p1/1.jpg", "pictures/p1/红 裙+1.jpg", "pictures/p2/a%2Fb.jpg")
    report = drain.work(shop, "run-1")
    (batch,) = report.batches
    assert report.counts == {"messages": 3, "keys": 3, "redriven": 0, "skipped": 0}
    assert index_batch(shop, batch).assets["live"] == 3
    assert live(shop) == 3
    shop.catalog.put("pictures/p1/1.jpg", picture("blue"))
    shop.catalog.delete("pictures/p2/a%2Fb.jpg")
    tell(shop, "pictures/p1/1.jpg", "pictures/p2/a%2Fb.jpg")
    (batch,) = drain.work(shop, "run-2").batches
    closed = index_batch(shop, batch)
    assert (closed.assets["live"], closed.assets["removed"]) == (1, 1)
    assert (live(shop), shop.changes.waiting()) == (2, 0)
    assert index(shop, "night") == []  # the nightly comparison finds nothing left


def test_nothing_waiting_is_no_batch(shop: Runtime) -> None:
    """A ring too many costs one look."""
    writes = shop.work.writes  # type: ignore[attr-defined]
    assert drain.work(shop, "run-1").batches == ()
    assert shop.work.writes == writes  # type: ignore[attr-defined]


def test_doubled_and_late_messages_change_nothing(shop: Runtime) -> None:
    """Of a key that came, was removed, and came again, in any order."""
    index(shop)
    add(shop, *["pictures/p1/1.jpg"] * 5)
    (batch,) = drain.work(shop, "run-1").batches
    assert keys_of(shop, batch) == {"pictures/p1/1.jpg"}
    index_batch(shop, batch)
    tell(shop, "pictures/p1/1.jpg", "pictures/p2/never.jpg")
    (batch,) = drain.work(shop, "run-2").batches
    assert index_batch(shop, batch).assets["live"] == 0  # looked at, unchanged, never there
    assert live(shop) == 1


def test_what_is_no_picture_is_recorded_with_its_reason_and_deleted(shop: Runtime) -> None:
    """Neither a loss nor an endless loop."""
    shop.changes.send("hello")  # type: ignore[attr-defined]
    tell(shop, "pictures/p1/1.jpg", bucket="another")
    tell(shop, "elsewhere/1.jpg", "pictures/folder/")
    report = drain.work(shop, "run-1")
    assert (report.batches, report.counts["skipped"]) == ((), 4)
    assert shop.changes.waiting() == 0
    (record,) = [ref.key for ref in shop.work.list("runs/") if "/skipped-" in ref.key]
    said = json.dumps(json.loads(shop.work.get(record) or b""))
    for reason in (
        "no notification of S3",
        "'another', not 'catalog'",
        "'elsewhere/1.jpg' is no picture",
        "'hello'",
    ):
        assert reason in said
    add(shop, "pictures/p1/1.jpg")
    shop.changes.send("{}")  # type: ignore[attr-defined]
    assert drain.work(shop, "run-2").counts == {
        "messages": 2,
        "keys": 1,
        "redriven": 0,
        "skipped": 1,
    }


@pytest.mark.parametrize("retried", [True, False])
def test_a_death_between_record_and_delete_loses_nothing(retried: bool) -> None:
    """The next try of the run hands out what was recorded; the messages come again in another run.
    Where there is no next try, that run alone heals it."""
    changes = Dying(hidden_seconds=0)
    shop = shop_with(changes, queue={"quiet_seconds": 1, "longest_seconds": 30, "max_batch": 2})
    index(shop)
    add(shop, "pictures/p1/1.jpg", "pictures/p2/1.jpg")
    with pytest.raises(QueueAway):
        drain.work(shop, "run-1")
    if retried:
        (batch,) = drain.work(shop, "run-1").batches
        assert (keys_of(shop, batch), changes.waiting()) == (
            {"pictures/p1/1.jpg", "pictures/p2/1.jpg"},
            2,
        )
        index_batch(shop, batch)
    changes.away = False
    (batch,) = drain.work(shop, "run-2").batches
    assert index_batch(shop, batch).assets["live"] == (0 if retried else 2)
    assert (live(shop), changes.waiting()) == (2, 0)


def test_a_picture_before_its_feed_line_is_indexed_when_the_line_comes(shop: Runtime) -> None:
    """Whether the two come in one batch or in two, and a new title is embedded again."""
    index(shop)
    add(shop, "pictures/p3/1.jpg")
    (batch,) = drain.work(shop, "run-1").batches
    assert index_batch(shop, batch).assets["live"] == 0
    feed(shop, {"p1": "Red dress", "p2": "Blue shirt", "p3": "Green hat", "p4": "Red hat"})
    add(shop, "pictures/p4/1.jpg")
    tell(shop, "products.jsonl", "products.jsonl")
    report = drain.work(shop, "run-2")
    assert report.counts == {"messages": 3, "keys": 1, "redriven": 1, "skipped": 0}
    assert index_batch(shop, report.batches[0]).assets["live"] == 2
    feed(shop, {"p3": "Green cap", "p4": "Red hat"})
    tell(shop, "products.jsonl")
    (batch,) = drain.work(shop, "run-3").batches
    assert keys_of(shop, batch) == {"pictures/p3/1.jpg"}
    assert index_batch(shop, batch).assets["live"] == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "not there"),
        (b"", "names no product"),
        (b'{"product_id": "p1", "title": "Other"}', "approve_removals=1"),
    ],
)
def test_a_feed_that_is_refused_holds_up_no_picture(data: bytes | None, why: str) -> None:
    """Gone, half written, or cut off: nothing of it is taken, nobody rings for it again, and it is
    reported. It fails the nightly comparison, where a person sees it."""
    shop = shop_with(Impatient(), catalog={"removed_share": 0.2, "removed_at_least": 0})
    index(shop)
    shop.catalog.delete("products.jsonl")
    if data is not None:
        shop.catalog.put("products.jsonl", data)
    add(shop, "pictures/p1/1.jpg", "pictures/p2/1.jpg")
    tell(shop, "products.jsonl")
    report = drain.work(shop, "run-1")
    assert report.feed
    assert why in report.feed.refused
    assert shop.changes.waiting() == 0
    assert index_batch(shop, report.batches[0]).assets["live"] == 2
    assert sold(shop) == {"p1": "Red dress", "p2": "Blue shirt"}
    with pytest.raises(StopEverything, match=why):
        compare.work(shop, "night")


def sold(runtime: Runtime) -> dict[str, str]:
    """Titles by product, as the ledger has them."""
    names = [name for batch in runtime.ledger.product_texts() for name, _ in batch]
    return {name: product.title["en"] for name, product in runtime.ledger.products(names).items()}


class TestTheFeed:
    """It is input like any other: taken once, and only what it changes is looked at."""

    @pytest.fixture
    def shop(self, monkeypatch: pytest.MonkeyPatch) -> Runtime:
        """Pictures of two products, indexed; the whole ledger is read no more."""
        shop = shop_with(Impatient())
        for key in ("pictures/p1/1.jpg", "pictures/p1/2.jpg", "pictures/p2/1.jpg"):
            shop.catalog.put(key, picture("red"))
        index(shop)

        def never(*_: Any, **__: Any) -> Any:
            raise AssertionError("the whole ledger was read")

        monkeypatch.setattr(shop.ledger, "known", never)
        return shop

    def drained(self, shop: Runtime, run: str) -> tuple[set[str], FeedReport]:
        tell(shop, "products.jsonl")
        report = drain.work(shop, run)
        assert report.feed
        return {key for batch in report.batches for key in keys_of(shop, batch)}, report.feed

    def test_other_prices_look_nothing_up(
        self, shop: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = (shop.catalog.get("products.jsonl") or b"").replace(b"9.5", b"5")
        shop.catalog.put("products.jsonl", lines)
        monkeypatch.setattr(shop.ledger, "assets_of_products", shop.ledger.known)
        keys, said = self.drained(shop, "run-1")
        assert (keys, said.counts["products_changed"]) == (set(), 2)
        prices = {
            product.price
            for product in shop.ledger.products([ProductId("p1"), ProductId("p2")]).values()
        }
        assert prices == {5}

    def test_a_feed_that_was_taken_is_not_read(
        self, shop: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shop.catalog, "download", shop.ledger.known)
        assert self.drained(shop, "run-1")[0] == set()

    def test_pictures_of_another_title_and_of_a_product_that_is_gone(self, shop: Runtime) -> None:
        """In the batch that the feed's event makes, each once, and not those of another prefix."""
        elsewhere = Asset(
            asset_id=asset_id("catalog", "old/p1/9.jpg"),
            product_id=ProductId("p1"),
            kind="picture",
            source=ObjectRef(
                bucket="catalog",
                key="old/p1/9.jpg",
                etag="x",
                size=1,
                last_modified=datetime.now(UTC),
            ),
        )
        shop.ledger.wait_for_product(shop.target().target_id, [elsewhere])
        feed(shop, {"p1": "Red gown"})
        add(shop, "pictures/p1/2.jpg", color="blue")
        keys, said = self.drained(shop, "run-1")
        assert keys == {"pictures/p1/1.jpg", "pictures/p1/2.jpg", "pictures/p2/1.jpg"}
        assert (said.counts["products_changed"], said.counts["products_gone"]) == (2, 1)
        index_batch(shop, drain.work(shop, "run-1").batches[0])
        assert live(shop) == 2

    def test_a_line_that_cannot_be_read_changes_nothing_and_is_told(self, shop: Runtime) -> None:
        lines = (shop.catalog.get("products.jsonl") or b"").replace(b"9.5", b'"9,5"', 1)
        shop.catalog.put("products.jsonl", lines)
        keys, said = self.drained(shop, "run-1")
        assert (keys, said.counts["products_kept"], len(said.problems)) == (set(), 1, 1)
        assert sold(shop) == {"p1": "Red dress", "p2": "Blue shirt"}

    @pytest.mark.parametrize("moment", ["put_products", "open_batch", "end_feed"])
    def test_a_death_on_the_way_loses_no_picture(
        self, shop: Runtime, monkeypatch: pytest.MonkeyPatch, moment: str
    ) -> None:
        """Before anything is written, after it was and before it was handed out, and after that."""
        monkeypatch.undo()
        shop.changes.hidden_seconds = 0  # type: ignore[attr-defined]
        feed(shop, {"p1": "Red gown", "p2": "Blue shirt"})
        tell(shop, "products.jsonl")

        def die(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(shop.ledger, moment, die)
            with pytest.raises(KeyboardInterrupt):
                drain.work(shop, "run-1")
        found = set()
        for run in ("run-1", "run-2"):
            for batch in drain.work(shop, run).batches:
                found |= keys_of(shop, batch)
                index_batch(shop, batch)
        assert found == {"pictures/p1/1.jpg", "pictures/p1/2.jpg"}
        assert compare.work(shop, "night").batches == ()
        state = shop.ledger.feed_state("catalog/products.jsonl")
        assert state is not None
        assert state.whole


def test_a_burst_is_cut_into_batches_and_the_rest_keeps_waiting() -> None:
    """One batch a run; the doorbell sees to the next."""
    shop = shop_with(
        Impatient(), queue={"quiet_seconds": 1, "longest_seconds": 30, "max_batch": 40}
    )
    tell(shop, *[f"pictures/p1/{number}.jpg" for number in range(100)])
    seen: set[str] = set()
    for number, left in enumerate((60, 20, 0)):
        (batch,) = drain.work(shop, f"run-{number}").batches
        seen |= keys_of(shop, batch)
        assert shop.changes.waiting() == left
    assert len(seen) == 100


def test_messages_that_keep_coming_do_not_hold_up_the_first() -> None:
    """A batch ends some time after it began, however busy the queue is."""

    class Endless(MemoryFeed):
        def receive(self, limit: int, *, wait: float) -> list[Message]:
            self.send("x")
            return super().receive(1, wait=0)

    settings = fake_runtime(
        queue={"quiet_seconds": 1, "longest_seconds": 1, "max_batch": 10**9}
    ).settings.queue
    assert gather(Endless(), settings)


class Door:
    """A doorbell, and a clock that only its sleep moves."""

    def __init__(self, **knobs: float) -> None:
        self.changes, self.work, self.now = MemoryFeed(), MemoryStore(), 0.0
        self.later: dict[float, Callable[[], object]] = {}
        settings = fake_runtime(queue=knobs).settings.queue
        self.bell = _doorbell.rings(
            self.changes,
            settings,
            drained=lambda: _doorbell.last_drained(self.work),
            sleep=self.sleep,
            clock=lambda: self.now,
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in sorted(moment for moment in self.later if moment <= self.now):
            self.later.pop(moment)()

    def rings(self, count: int) -> list[float]:
        """When it rings next."""
        return [self.now for _ in range(count) if next(self.bell)]

    def drained(self, run: str) -> None:
        self.work.put(DRAINED, run.encode())


def test_the_doorbell_rings_soon_and_again_while_messages_wait() -> None:
    """A ring that nobody hears is repeated."""
    door = Door(poll_seconds=5, ring_again_seconds=20)
    door.later[10] = lambda: door.changes.send("a")
    assert door.rings(2) == [10, 30]
    door.changes.delete(door.changes.receive(1, wait=0))
    door.drained("run-1")
    door.later[500] = lambda: door.changes.send("b")
    assert door.rings(1) == [500]


def test_the_doorbell_rings_ever_less_while_no_drain_ends_well() -> None:
    """At most every quarter of an hour; more messages that come change nothing about it."""
    door = Door(poll_seconds=5, ring_again_seconds=30, ring_longest_seconds=900)
    door.changes.send("a")
    for moment in range(100, 6000, 100):
        door.later[moment] = lambda: door.changes.send("more")
    rung = door.rings(9)
    assert [after - before for before, after in itertools.pairwise(rung)] == [
        30,
        60,
        120,
        240,
        480,
        900,
        900,
        900,
    ]
    assert next(door.bell) > 1


def test_a_drain_that_ends_well_makes_the_doorbell_ring_as_soon_as_at_first() -> None:
    """Also where more comes than one drain takes."""
    door = Door(poll_seconds=5, ring_again_seconds=30, ring_longest_seconds=900)
    door.changes.send("a")
    assert door.rings(5)[-1] == 450
    door.later[500] = lambda: door.drained("run-1")
    door.later[530] = lambda: door.drained("run-2")
    assert door.rings(2) == [500, 530]


def test_a_drain_says_that_it_took_messages(shop: Runtime) -> None:
    """One that found none does not."""
    drain.work(shop, "run-0")
    assert _doorbell.last_drained(shop.work) == ""
    tell(shop, "pictures/p1/1.jpg")
    drain.work(shop, "run-1")
    first = _doorbell.last_drained(shop.work)
    tell(shop, "no/picture.txt")
    drain.work(shop, "run-2")
    assert first not in ("", _doorbell.last_drained(shop.work))
