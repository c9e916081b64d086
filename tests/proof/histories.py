"""Random histories of a shop, for hypothesis to write and to shorten."""

from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mmsearch_core.records.asset import asset_id
from mmsearch_core.records.row import StoredRow
from mmsearch_core.wiring.batches import Runtime
from tests.line import INDEX, do, fake_runtime
from tests.proof.oracle import BROKEN, DOCUMENTS, PICTURES, VIDEOS
from tests.proof.sabotage import Vandal, backup, put_back, with_row
from tests.proof.shop import LATE, Shop

(PICTURE, *_), (DOCUMENT, *_), (VIDEO, *_) = PICTURES, DOCUMENTS, VIDEOS
NUMBERS = range(1, 5)
PICTURE_KEYS = [f"pictures/p{product}/{name}.jpg" for product in NUMBERS for name in "ab"]
DOCUMENT_KEYS = [f"pictures/p{product}/c.pdf" for product in NUMBERS]
VIDEO_KEYS = [f"pictures/p{product}/d.mp4" for product in NUMBERS]
KEYS = st.sampled_from([*PICTURE_KEYS, *DOCUMENT_KEYS, *VIDEO_KEYS])
PRODUCTS = st.sampled_from(["p1", "p2", "p3", "p4"])
# a key and what lies there: mostly what its ending says, sometimes the other kind, or broken
FILES = st.one_of(
    st.tuples(st.sampled_from(PICTURE_KEYS), st.sampled_from([*PICTURES, *BROKEN, DOCUMENT])),
    st.tuples(st.sampled_from(DOCUMENT_KEYS), st.sampled_from([*DOCUMENTS, *BROKEN, VIDEO])),
    st.tuples(st.sampled_from(VIDEO_KEYS), st.sampled_from([*VIDEOS, *BROKEN, PICTURE])),
)
WHICH = st.integers(0, 7)
# small, and with each broken file over the budget
SHARDS = {
    "size": 3,
    "failed_share": 0,
    "failed_at_least": 0,
}
BROKEN_LINES: tuple[dict[str, object], ...] = ({"price": "9,50"}, {"in_stock": 5})
WRONG = st.sampled_from(BROKEN_LINES)
# of the ledger, by who takes a feed
CALLS = (
    "feed_state",
    "product_columns",
    "begin_feed",
    "put_products",
    "end_feed",
)
GUARDED = {"removed_share": 0.2, "removed_at_least": 0}


def is_broken(line: Mapping[str, object]) -> bool:
    """Whether a line of the feed was made unreadable by ``break_line``."""
    return any(line.items() >= wrong.items() for wrong in BROKEN_LINES)


class History(RuleBasedStateMachine):
    """Subclasses say on which parts."""

    make: Callable[[], Runtime] = staticmethod(lambda: fake_runtime(shards=SHARDS, catalog=GUARDED))

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(self.make())
        self.done: list[tuple[str, str]] = []
        self.saved: tuple[list[StoredRow], Connection, Mapping[str, Any]] | None = None

    def some_key(self, which: int) -> str | None:
        keys = sorted(found.key for found in self.shop.runtime.catalog.list("pictures/"))
        return keys[which % len(keys)] if keys else None

    @rule(file=FILES)
    def upload(self, file: tuple[str, bytes]) -> None:
        """A new object, another one in its place, or the same bytes again."""
        self.shop.put(*file)

    @rule(which=WHICH, to=KEYS, moved=st.booleans())
    def copy(self, which: int, to: str, moved: bool) -> None:
        """A copy, or a rename; also to another product."""
        key = self.some_key(which)
        if key is not None and key != to:
            self.shop.put(to, self.shop.runtime.catalog.get(key) or b"")
            if moved:
                self.shop.remove(key)

    @rule(which=WHICH)
    def remove(self, which: int) -> None:
        if key := self.some_key(which):
            self.shop.remove(key)

    @rule(
        product=PRODUCTS,
        title=st.sampled_from(["", "Deluxe"]),
        price=st.sampled_from([9.5, 8]),
        stock=st.booleans(),
    )
    def change_feed(self, product: str, title: str, price: float, stock: bool) -> None:
        self.shop.set_product(product, title=title, price=price, in_stock=stock)

    @precondition(lambda self: len(self.shop.feed) > 1)
    @rule(product=PRODUCTS)
    def drop_product(self, product: str) -> None:
        if self.others_readable(product):
            self.shop.drop_product(product)

    @rule(product=PRODUCTS, wrong=WRONG)
    def break_line(self, product: str, wrong: dict[str, object]) -> None:
        if self.others_readable(product):
            self.shop.break_line(product, **wrong)

    @rule(share=st.floats(0, 1))
    def cut_feed(self, share: float) -> None:
        self.shop.cut_feed(share)

    @rule()
    def tell_of_feed(self) -> None:
        """By an event; what it hands out lies."""
        self.shop.drain()

    @rule(
        product=PRODUCTS,
        title=st.sampled_from(["", "Deluxe", "Basic"]),
        call=st.sampled_from(CALLS),
    )
    def read_an_old_feed_late(self, product: str, title: str, call: str) -> None:
        self.shop.set_product(product, title="Old")
        self.shop.compare_late(call, lambda: self.shop.set_product(product, title=title))

    def others_readable(self, product: str) -> bool:
        """A feed of which no line can be read is refused, as another test says."""
        others = [line for name, line in self.shop.feed.items() if name != product]
        return not all(map(is_broken, others))

    @rule()
    def compare(self) -> None:
        """Hand out batches and leave them lying."""
        self.shop.compare()

    @precondition(lambda self: self.shop.runs)
    @rule(back=st.integers(0, 3))
    def compare_again(self, back: int) -> None:
        """A retry of the last comparison, or an earlier one that somebody cleared; the world may
        have changed since."""
        self.shop.compare(f"run-{max(1, self.shop.runs - back)}")

    @rule(keys=st.lists(KEYS, min_size=1, max_size=6))
    def hint(self, keys: list[str]) -> None:
        self.shop.hint(keys)

    @precondition(lambda self: self.shop.open)
    @rule(which=WHICH, steps=st.integers(1, 6))
    def advance(self, which: int, steps: int) -> None:
        """Some batch goes on, while others lie."""
        work = self.shop.open[which % len(self.shop.open)]
        for _ in range(steps):
            if work in self.shop.open:
                before = work.place
                self.shop.advance(work)
                self.done += work.steps[before : work.place]

    @precondition(lambda self: self.done)
    @rule(which=WHICH, forget=st.booleans())
    def do_again(self, which: int, forget: bool) -> None:
        """A stage that is done, run once more; also when its report was lost."""
        shard, stage = self.done[-1 - which % len(self.done)]
        assert stage in INDEX
        if forget:
            self.shop.runtime.work.delete(f"{shard}/reports/{stage}.json")
        try:
            do(self.shop.runtime, shard, stage)
        except LATE:
            return

    @precondition(lambda self: self.shop.runtime.ledger.targets())
    @rule(which=WHICH)
    def start_with_another_milvus(self, which: int) -> None:
        """A worker whose settings name a Milvus that is not ours."""
        batches = self.shop.open
        self.shop.start_elsewhere(batches[which % len(batches)] if batches else None)

    @rule()
    def lose_collection(self) -> None:
        self.shop.lose_collection()

    @rule(which=WHICH)
    def lose_row(self, which: int) -> None:
        if lost := self._row(which):
            self._vandal.delete([lost])
            self._unsteady(lost)

    @rule(which=WHICH, other=WHICH)
    def alter_row(self, which: int, other: int) -> None:
        """It says what another says, under its own digest."""
        altered, like = self._row(which), self._row(other)
        if altered and like:
            self._vandal.write([with_row(altered, text=like.row.text, vectors=like.row.vectors)])
            self._unsteady(altered)

    @rule()
    def save(self) -> None:
        """A backup of index and ledger."""
        self.saved = (self._vandal.rows(), backup(self.shop.runtime.ledger), self.shop.sold)

    @precondition(lambda self: self.saved)
    @rule(index=st.booleans(), ledger=st.booleans())
    def put_back(self, index: bool, ledger: bool) -> None:
        """Either or both, whatever happened since."""
        assert self.saved
        rows, copy, sold = self.saved
        self.shop.steady.clear()
        if ledger:
            put_back(self.shop.runtime.ledger, copy)
            self.shop.sold = sold
        if index:
            self._vandal.put_back(rows)

    @property
    def _vandal(self) -> Vandal:
        return Vandal(self.shop.runtime)

    def _row(self, which: int) -> StoredRow | None:
        rows = self._vandal.rows()
        return rows[which % len(rows)] if rows else None

    def _unsteady(self, stored: StoredRow) -> None:
        bucket = self.shop.runtime.catalog.bucket
        self.shop.steady = {
            key for key in self.shop.steady if asset_id(bucket, key) != stored.row.asset_id
        }

    @rule()
    def settle(self) -> None:
        self.shop.settle()

    @invariant()
    def nothing_steady_is_missing(self) -> None:
        self.shop.look()

    def teardown(self) -> None:
        self.shop.settle()
