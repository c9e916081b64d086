"""How a feed comes into the ledger: once, whole, never the older after the newer, and never half of
one."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.catalog import feed as reader
from mmsearch_core.catalog import take_feed as taking
from mmsearch_core.catalog.take_feed import TakenFeed, take_feed
from mmsearch_core.errors import FeedBroken, FeedReplaced, TooManyRemovals
from mmsearch_core.records.asset import ObjectRef, Product
from mmsearch_core.records.ids import ProductId
from mmsearch_core.settings import Catalog
from mmsearch_core.testing.memory_ledger import MemoryLedger
from mmsearch_core.testing.memory_store import MemoryStore

KEY = "products.jsonl"
NAME = f"catalog/{KEY}"
SETTINGS = Catalog(removed_share=0.2, removed_at_least=3)


class Store(MemoryStore):
    """Counts downloads; ``before_read`` happens once, just before one; ``clock`` is what it says of
    every object."""

    def __init__(self) -> None:
        super().__init__("catalog")
        self.downloads = 0
        self.before_read: Callable[[], None] | None = None
        self.clock: datetime | None = None

    def download(self, found: ObjectRef, path: Path) -> None:
        self.downloads += 1
        super().download(found, path)
        happens, self.before_read = self.before_read, None
        if happens:
            happens()

    def head(self, key: str) -> ObjectRef | None:
        there = super().head(key)
        if there is None or self.clock is None:
            return there
        return ObjectRef(
            bucket="catalog", key=key, etag=there.etag, size=there.size, last_modified=self.clock
        )


class Shop:
    """A feed in a bucket, and the ledger that takes it."""

    def __init__(self, folder: Path) -> None:
        self.store, self.ledger, self._folder, self._times = Store(), MemoryLedger(), folder, 0

    def write(self, titles: dict[str, str], *more: bytes) -> None:
        lines = [
            json.dumps({"product_id": name, "title": title}).encode()
            for name, title in titles.items()
        ]
        self.store.put(KEY, b"\n".join([*lines, *more]))

    def take(self, **options: Any) -> TakenFeed:
        self._times += 1
        folder = self._folder / str(self._times)
        folder.mkdir()
        taken = take_feed(self.store, self.ledger, SETTINGS, folder=folder, **options)
        self.ledger.end_feed(taken.state)
        return taken

    def titles(self) -> dict[str, str]:
        names = [name for batch in self.ledger.product_texts() for name, _ in batch]
        return {name: product.title["en"] for name, product in self.ledger.products(names).items()}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Forty products that were taken."""
    made = Shop(tmp_path)
    made.write(MANY)
    made.take()
    return made


MANY = {f"p{number:02}": f"Lumen {number}" for number in range(40)}


def touched(taken: TakenFeed) -> set[str]:
    return {name for batch in taken.touching() for name in batch}


def bad(name: str) -> bytes:
    return json.dumps({"product_id": name, "title": "Bad", "price": "9,50"}).encode()


def test_what_is_new_differs_or_is_gone_is_taken_and_told(shop: Shop) -> None:
    write = {name: title for name, title in MANY.items() if name != "p00"} | {
        "p01": "Deluxe",
        "new": "New",
    }
    dearer = json.dumps({"product_id": "p02", "title": "Lumen 2", "price": 5}).encode()
    shop.write(write, dearer)
    taken = shop.take()
    assert taken.counts == {
        "products_changed": 4,
        "products_gone": 1,
        "products_kept": 0,
        "products_unreadable": 0,
        "feed_lines_unreadable": 0,
    }
    assert touched(taken) == {"p00", "p01", "new"}, "the text of p02 is what it was"
    assert shop.titles() == write
    assert shop.ledger.products([ProductId("p02")])[ProductId("p02")].price == 5


def test_a_feed_that_was_taken_is_not_even_downloaded(shop: Shop) -> None:
    """Also when it was uploaded once more; when lines are read by other rules, it is."""
    shop.write(MANY)
    taken = shop.take()
    assert (taken.counts, touched(taken), shop.store.downloads) == (
        {"products_changed": 0},
        set(),
        1,
    )


def test_a_feed_is_read_again_by_a_reader_that_reads_otherwise(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "READER", reader.READER + 1)
    assert shop.take().counts["products_changed"] == 0
    assert shop.store.downloads == 2


def test_of_a_product_named_twice_the_last_line_that_can_be_read_counts(shop: Shop) -> None:
    shop.write(
        MANY,
        *(json.dumps({"product_id": "p00", "title": title}).encode() for title in "ab"),
        bad("p00"),
    )
    taken = shop.take()
    assert (taken.counts["products_changed"], touched(taken)) == (1, {"p00"})
    assert shop.titles() == MANY | {"p00": "b"}


def test_of_a_product_whose_line_cannot_be_read_what_is_known_stays(shop: Shop) -> None:
    """It is told, and so is a new one of which nothing is known."""
    some = {name: title for name, title in MANY.items() if name > "p29"}
    shop.write(some, *(bad(f"p{number:02}") for number in range(30)), bad("new"))
    taken = shop.take()
    assert taken.counts == {
        "products_changed": 0,
        "products_gone": 0,
        "products_kept": 30,
        "products_unreadable": 1,
        "feed_lines_unreadable": 31,
    }
    assert (
        taken.problems[0]
        == "line 11 (p00): price: Input should be a valid number, unable to parse string as a"
        " number"
    )
    assert (len(taken.problems), touched(taken), shop.titles()) == (5, set(), MANY)


class TestRefused:
    """Nothing of it is taken, and it is looked at again the next time."""

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "names no product that can be read: nothing"),
            (b"\n\n", "names no product"),
            (bad("p00"), r"names no product that can be read \(line 1 \(p00\): price"),
            (b"product_id;title\np1;x\n", "line 1: line: "),
            (
                b'{"product_id": "p00", "title": "New"}\n' + b"p;x\n" * 12,
                "12 of 13 lines .*mend it",
            ),
        ],
    )
    def test_a_feed_of_which_too_little_can_be_read(
        self, shop: Shop, data: bytes, message: str
    ) -> None:
        shop.store.put(KEY, data)
        before = shop.ledger.feed_state(NAME)
        for _ in range(2):
            with pytest.raises(FeedBroken, match=message):
                shop.take()
        assert (shop.titles(), shop.ledger.feed_state(NAME)) == (MANY, before)

    def test_a_feed_that_is_not_there(self, shop: Shop) -> None:
        shop.store.delete(KEY)
        with pytest.raises(FeedBroken, match=r"catalog\.feed"):
            shop.take()

    def test_half_a_feed(self, shop: Shop) -> None:
        """An upload that broke off in the middle of a line; also what it says anew is not taken. A
        person may say that it is meant."""
        half = dict(list(MANY.items())[:20])
        shop.write(half | {"p00": "Deluxe"}, b'{"product_id": "p20", "titl')
        with pytest.raises(TooManyRemovals, match=r"19 of 40 products .*20%.*approve_removals=19"):
            shop.take()
        with pytest.raises(TooManyRemovals):
            shop.take(approved=18)
        assert shop.titles() == MANY
        shop.take(approved=19)
        assert shop.titles() == half | {"p00": "Deluxe", "p20": "Lumen 20"}

    def test_a_few_products_may_go_unasked(self, shop: Shop) -> None:
        """A fifth of them, or three whatever their share."""
        shop.write(dict(list(MANY.items())[:32]))
        assert shop.take().counts["products_gone"] == 8
        shop.write(dict(list(MANY.items())[:26]))
        shop.take()
        for left in (23, 20, 17, 14, 11, 8, 5, 2):
            shop.write(dict(list(MANY.items())[:left]))
            assert shop.take().counts["products_gone"] == 3


def take_while_another_takes(shop: Shop, moment: str, feed: dict[str, str]) -> list[str]:
    """Take the feed; before this call of the ledger the feed is replaced, and another process takes
    that. Returns the call, if it came to that."""
    ledger, called = shop.ledger, list[str]()

    class Slow:
        def __getattr__(self, name: str) -> Any:
            if name == moment and name not in called:
                called.append(name)
                shop.ledger = ledger
                shop.write(feed)
                shop.take()
            return getattr(ledger, name)

    shop.ledger = Slow()  # type: ignore[assignment]
    shop.take()
    return called


class TestReplaced:
    """Who reads an older feed gives way, whatever the clocks say."""

    def test_a_feed_that_is_replaced_while_it_is_read_is_read_again(self, shop: Shop) -> None:
        shop.write(MANY | {"p00": "Old"})
        shop.store.before_read = lambda: shop.write(MANY | {"p00": "New"})
        taken = shop.take()
        assert (touched(taken), shop.titles()["p00"], shop.store.downloads) == ({"p00"}, "New", 3)

    @pytest.mark.parametrize("seconds", [60, 0, -60])
    def test_another_process_that_took_a_newer_feed_meanwhile_is_not_undone(
        self, shop: Shop, seconds: int
    ) -> None:
        """Also where the clock of the store stands still or was set back."""
        late, quick = MANY | {"p00": "Old"}, MANY | {"p00": "New", "new": "New"}

        def happens() -> None:
            shop.write(quick)
            shop.store.clock = datetime.fromtimestamp(1_800_000_000 + seconds, UTC)
            shop.take()

        shop.store.clock = datetime.fromtimestamp(1_800_000_000, UTC)
        shop.write(late)
        shop.store.before_read = happens
        taken = shop.take()
        assert (shop.titles(), taken.counts) == (quick, {"products_changed": 0})

    @pytest.mark.parametrize(
        "moment", ["feed_state", "product_columns", "begin_feed", "put_products"]
    )
    def test_at_whatever_moment_another_process_takes_a_newer_feed_it_wins(
        self, shop: Shop, moment: str
    ) -> None:
        shop.write(
            {name: title for name, title in MANY.items() if name != "p39"}
            | {"p00": "Old", "old": "Old"}
        )
        quick = MANY | {"p00": "New", "new": "New"}
        called = take_while_another_takes(shop, moment, quick)
        assert (called, shop.titles()) == ([moment], quick)

    def test_an_upload_that_is_undone_is_undone(self, shop: Shop) -> None:
        """The same bytes as before a newer upload that was taken."""
        shop.write(MANY | {"p00": "New"})
        shop.take()
        shop.write(MANY)
        shop.take()
        assert shop.titles() == MANY

    @pytest.mark.parametrize("moment", ["product_columns", "begin_feed", "put_products"])
    def test_an_upload_that_is_undone_while_somebody_reads_it_leaves_no_trace(
        self, shop: Shop, moment: str
    ) -> None:
        """Whoever looks meanwhile finds the very bytes that the ledger has, within the same second
        even."""
        shop.store.clock = datetime.fromtimestamp(1_800_000_000, UTC)
        shop.take()
        shop.write(MANY | {"p00": "Old"})
        called = take_while_another_takes(shop, moment, MANY)
        assert (called, shop.titles()) == ([moment], MANY)

    def test_who_is_always_too_late_is_told_so(self, shop: Shop) -> None:
        """The same command works when the feed stays for as long as it takes to read it."""
        numbers = iter(range(1000))

        def again() -> None:
            shop.write(MANY | {"p00": f"Other {next(numbers)}"})
            shop.store.before_read = again

        again()
        with pytest.raises(FeedReplaced, match="faster than it can be read"):
            shop.take()
        assert shop.titles() == MANY
        shop.store.before_read = None
        shop.take()
        assert shop.titles()["p00"].startswith("Other ")

    def test_a_feed_that_is_removed_while_it_is_read_is_not_there(self, shop: Shop) -> None:
        shop.write(MANY | {"p00": "New"})
        shop.store.before_read = lambda: shop.store.delete(KEY)
        with pytest.raises(FeedBroken, match=r"catalog\.feed"):
            shop.take()
        assert shop.titles() == MANY


class TestBrokenOff:
    """A process that died while it wrote."""

    def test_the_next_one_takes_the_rest_and_says_that_it_does_not_know_all(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put = shop.ledger.put_products
        wanted = {name: title for name, title in MANY.items() if name != "p39"} | {
            "p00": "New",
            "p01": "New",
        }
        shop.write(wanted)

        def die(state: Any, products: Iterable[Product], gone: Iterable[ProductId]) -> None:
            put(state, list(products)[:1], gone=[])
            raise KeyboardInterrupt

        monkeypatch.setattr(shop.ledger, "put_products", die)
        with pytest.raises(KeyboardInterrupt):
            shop.take()
        monkeypatch.undo()
        assert shop.titles() == MANY | {"p00": "New"}
        taken = shop.take()
        assert (taken.resumed, touched(taken), shop.titles()) == (True, {"p01", "p39"}, wanted)
        assert shop.take().resumed is False

    def test_a_newer_feed_is_held_against_what_is_there(self, shop: Shop) -> None:
        """Of the older one, some is."""
        shop.write(MANY | {"p00": "Half", "p01": "Half"})
        folder = shop._folder / "dead"
        folder.mkdir()
        # and nobody handed its pictures out
        take_feed(shop.store, shop.ledger, SETTINGS, folder=folder)
        shop.write(MANY | {"p00": "Half"})
        taken = shop.take()
        assert (taken.resumed, touched(taken)) == (True, {"p01"})
        assert shop.titles() == MANY | {"p00": "Half"}


def test_another_feed_takes_the_place_of_the_first(shop: Shop, tmp_path: Path) -> None:
    """And back, although the first is what it was."""
    other = SETTINGS.model_copy(update={"feed": "other.jsonl"})
    titles = dict(list(MANY.items())[:35])
    shop.store.put(
        "other.jsonl",
        b"\n".join(json.dumps({"product_id": n, "title": t}).encode() for n, t in titles.items()),
    )
    (tmp_path / "other").mkdir()
    shop.ledger.end_feed(take_feed(shop.store, shop.ledger, other, folder=tmp_path / "other").state)
    assert shop.titles() == titles
    shop.take()
    assert shop.titles() == MANY
