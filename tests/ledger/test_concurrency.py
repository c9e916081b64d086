"""Two writers at once, on the databases where that can happen."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Table, create_engine, text, update

from mmsearch_core.adapters.ledger import database as ledger_database
from mmsearch_core.adapters.ledger.schema import assets
from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.errors import Busy, FeedReplaced, LedgerAway
from mmsearch_core.records.asset import Product
from mmsearch_core.records.commit import Writing
from mmsearch_core.records.feed import FeedState
from mmsearch_core.records.ids import BatchId, Build, ProductId, TargetId
from mmsearch_core.records.report import Failure
from tests.contracts.test_ledger import TARGET, T, asset, begin, made, product
from tests.line import fake_runtime, feed, index_batch, picture
from tests.patience import PATIENCE
from tests.postgres import Postgres

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
LEASE = f"index:{T}"
R = TypeVar("R")


@pytest.fixture
def url(database: str) -> str:
    """A database of each engine that knows the target."""
    SqlLedger(database).add_target(TARGET)
    return database


def at_once(url: str, works: Sequence[Callable[[SqlLedger], R]]) -> list[R | Busy]:
    """Each work on a ledger of its own, all let go at the same moment; Busy comes back as an
    answer."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[SqlLedger], R]) -> R | Busy:
        ledger = SqlLedger(url)
        try:
            ledger.targets()
            gate.wait(PATIENCE)
            return work(ledger)
        except Busy as error:
            return error
        except BaseException:
            gate.abort()  # else the others would wait for one that never comes
            raise
        finally:
            ledger._database._connected.dispose()  # PostgreSQL has a hundred connections for all

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def writing(build: str, seconds: float) -> Writing:
    observed = NOW + timedelta(seconds=seconds)
    return Writing(asset=asset("a"), build=Build(build), product_text="t", observed_at=observed)


def _begin(ledger: SqlLedger, *, seconds: float, token: int) -> object:
    return ledger.begin(T, [writing(f"b{seconds}", seconds)], token=token)


def test_of_writers_that_come_at_once_one_gets_the_lease(url: str) -> None:
    """For a lease that is new, and for one that ran out."""
    for name in ("new", LEASE):
        SqlLedger(url).take_lease(LEASE, holder="dead", seconds=-1)
        takers = [
            partial(SqlLedger.take_lease, name=name, holder=holder, seconds=60) for holder in "abcd"
        ]
        answers = at_once(url, takers)
        assert sorted(type(answer).__name__ for answer in answers) == [
            "Busy",
            "Busy",
            "Busy",
            "int",
        ], answers


def test_a_writer_whose_lease_was_taken_over_writes_nothing(url: str) -> None:
    old = SqlLedger(url).take_lease(LEASE, holder="slow", seconds=-1)
    new = SqlLedger(url).take_lease(LEASE, holder="quick", seconds=60)
    assert new > old
    late, good = at_once(
        url,
        [
            lambda ledger: ledger.begin(T, [writing("late", 5)], token=old),
            lambda ledger: ledger.begin(T, [writing("good", 1)], token=new),
        ],
    )
    assert isinstance(late, Busy)
    assert good == {asset("a").asset_id}
    assert SqlLedger(url).commit(T, {asset("a").asset_id: made("late")}, token=new) == set()
    assert SqlLedger(url).commit(T, {asset("a").asset_id: made("good")}, token=new) == {
        asset("a").asset_id
    }


def test_a_lease_is_not_taken_over_in_the_middle_of_a_write(url: str) -> None:
    """The write checks its token first and commits last; whoever takes over in between waits for
    it."""
    ledger = SqlLedger(url)
    token = ledger.take_lease(LEASE, holder="me", seconds=-1)  # has run out, nobody noticed yet
    order: list[str] = []
    inside, checked = threading.Event(), ledger._database.upsert

    def slow(*args: object, **options: object) -> None:
        inside.set()
        taker.join(timeout=1)
        order.append("write")
        checked(*args, **options)  # type: ignore[arg-type]

    def take() -> None:
        inside.wait()
        SqlLedger(url).take_lease(LEASE, holder="next", seconds=60)
        order.append("take")

    taker = threading.Thread(target=take)
    taker.start()
    ledger._database.upsert = slow  # type: ignore[method-assign]
    assert ledger.begin(T, [writing("b", 1)], token=token)
    taker.join()
    assert order == ["write", "take"]


def test_the_newer_observation_wins_in_whatever_order_they_come(url: str) -> None:
    """Begun at once by one holder's two threads: the older never replaces the newer."""
    token = SqlLedger(url).take_lease(LEASE, holder="me", seconds=60)
    for round_number in range(5):
        base = 10.0 * round_number
        works = [partial(_begin, seconds=base + late, token=token) for late in (1, 2, 3)]
        at_once(url, works)
        newest = f"b{base + 3}"
        assert SqlLedger(url).commit(T, {asset("a").asset_id: made(newest)}, token=token) == {
            asset("a").asset_id
        }


def test_writers_of_the_same_assets_in_opposite_orders_do_not_wait_for_each_other(url: str) -> None:
    """Everything that writes many assets at once, each given them in another order: all take
    effect."""
    names = [asset(str(number)) for number in range(600)]
    token = SqlLedger(url).take_lease(LEASE, holder="me", seconds=600)
    failure = Failure(record_id="a", stage="decode", kind="UnreadableMedia", message="no")
    writings = [replace(writing("b", 1), asset=name) for name in names]
    ids = [name.asset_id for name in names]
    works: list[Callable[[SqlLedger], object]] = [
        lambda ledger: [ledger.begin(T, writings, token=token) for _ in range(3)],
        lambda ledger: [ledger.doubt(T, names[::-1]) for _ in range(3)],
        lambda ledger: [ledger.wait_for_product(T, names[300:] + names[:300]) for _ in range(3)],
        lambda ledger: ledger.commit(T, dict.fromkeys(ids[::-1], made("b")), token=token),
        lambda ledger: ledger.settle(T, dict.fromkeys(ids[::-1], Build("b")), token=token),
        lambda ledger: ledger.fail(T, dict.fromkeys(ids[:99], (writings[0], failure)), token=token),
        lambda ledger: ledger.set_redriven(T, ids[::-1]),
        lambda ledger: ledger.forget(T, ids[200:100:-1], token=token),
    ]
    at_once(url, works)
    assert set(SqlLedger(url).look_up(T, ids)) >= set(ids[:100] + ids[201:])


@pytest.mark.integration
def test_a_transaction_that_was_given_up_is_done_again(postgres: Postgres) -> None:
    """Somebody else's statement locks two assets in the opposite order: the database ends one of
    the two."""
    url = postgres.database()
    ledger = SqlLedger(url)
    ledger.add_target(TARGET)
    first, last = sorted((asset("a"), asset("b")), key=lambda one: one.asset_id)
    ledger.doubt(T, [first, last])
    engine = create_engine(url)
    lock = text("UPDATE assets SET product_id = 'x' WHERE asset_id = :name")
    held, halfway, tried = threading.Event(), threading.Event(), list[int]()
    upsert = ledger._database.upsert

    def slow(connection: Connection, table: Table, rows: Any, **options: Any) -> None:
        tried.append(len(rows))
        upsert(connection, table, rows[:1], **options)
        halfway.set()
        upsert(connection, table, rows[1:], **options)

    def stranger() -> None:
        with engine.begin() as connection:
            # the other one is given up
            connection.execute(text("SET LOCAL deadlock_timeout = '20s'"))
            connection.execute(lock, {"name": last.asset_id})
            held.set()
            halfway.wait()
            connection.execute(lock, {"name": first.asset_id})

    ledger._database.upsert = slow  # type: ignore[assignment,method-assign]
    thread = threading.Thread(target=stranger)
    thread.start()
    held.wait()
    ledger.doubt(T, [first, last])
    thread.join()
    assert tried == [2, 2]


def test_a_picture_that_was_just_made_live_is_not_put_back_to_wait_for_its_product(
    url: str,
) -> None:
    """One process's plan saw no product; another's writes the picture at the same moment."""
    ledger, name = SqlLedger(url), asset("a").asset_id
    for number in range(20):
        token = ledger.take_lease(LEASE, holder="me", seconds=60)
        ledger.forget(T, [name], token=token)

        def make_live(mine: SqlLedger, token: int = token, number: int = number) -> None:
            mine.begin(T, [writing("b", number)], token=token)
            mine.commit(T, {name: made("b")}, token=token)
            mine.settle(T, {name: Build("b")}, token=token)

        at_once(url, [make_live, lambda mine: mine.wait_for_product(T, [asset("a")])])
        assert ledger.look_up(T, [name])[name].state == "live"


def test_one_feed_read_twice_at_once_and_one_batch_are_harmless(url: str) -> None:
    """The same products in opposite orders: neither waits for the other for ever, and both
    count."""
    products = [product(f"p{number:03}") for number in range(800)]
    state = begin(SqlLedger(url), "v1")

    def put(ledger: SqlLedger, found: list[Product]) -> None:
        ledger.put_products(state, found, gone=[ProductId("gone")])

    at_once(url, [partial(put, found=products), partial(put, found=products[::-1])])
    assert len(SqlLedger(url).products([one.product_id for one in products])) == 800
    at_once(url, [lambda ledger: ledger.open_batch(BatchId("b"), target=T, source="test")] * 4)
    assert SqlLedger(url).open_batches(T) == 1
    assert at_once(url, [lambda ledger: ledger.add_target(TARGET)] * 4) == [TARGET] * 4


def test_of_feeds_that_are_begun_at_once_one_is(url: str) -> None:
    """Whoever comes second looks again, for a ledger that knows no feed and for one that knows
    another."""
    for seen in (None, begin(SqlLedger(url), "v0", feed="b/f1")):
        feed = seen.feed if seen else "b/f2"

        def take(
            ledger: SqlLedger, version: str, feed: str = feed, seen: FeedState | None = seen
        ) -> str:
            try:
                return ledger.begin_feed(
                    feed, version=version, modified_at=NOW, instead_of=seen
                ).version
            except FeedReplaced:
                return "late"

        answers = at_once(url, [partial(take, version=f"v{number}") for number in range(1, 5)])
        assert sorted(map(str, answers))[:3] == ["late"] * 3, answers


def test_another_feed_is_not_begun_in_the_middle_of_a_write(url: str) -> None:
    """The write looks at the state first and commits last; whoever begins in between waits for
    it."""
    ledger = SqlLedger(url)
    state = begin(ledger, "v1")
    order: list[str] = []
    inside, checked = threading.Event(), ledger._database.upsert

    def slow(*args: object, **options: object) -> None:
        inside.set()
        beginner.join(timeout=1)
        order.append("write")
        checked(*args, **options)  # type: ignore[arg-type]

    def begin_another() -> None:
        inside.wait()
        begin(SqlLedger(url), "v2")
        order.append("begin")

    beginner = threading.Thread(target=begin_another)
    beginner.start()
    ledger._database.upsert = slow  # type: ignore[method-assign]
    ledger.put_products(state, [product("p")], gone=[])
    beginner.join()
    assert order == ["write", "begin"]


def test_two_refreshes_at_once_are_harmless(url: str) -> None:
    """Both find the same changes; whatever order their batches are done in, the index equals the
    bucket."""
    from tasks import compare

    runtime = fake_runtime()
    runtime = runtime.having(ledger=SqlLedger(url))
    feed(runtime, {"p1": "Lumen"})
    for number in range(4):
        runtime.catalog.put(f"pictures/p1/{number}.jpg", picture("red", shade=number))
    runtime.build_target()

    def compared(_: SqlLedger, run: str) -> Any:
        return compare.work(runtime, run).batches

    found: Any = at_once(url, [partial(compared, run=run) for run in ("one", "two")])
    batches = [batch for each in found for batch in each]
    assert len(batches) == 2
    assert sorted(index_batch(runtime, batch).assets["live"] for batch in batches) == [0, 4]
    target = runtime.target()
    known = [known for found in runtime.ledger.known(TargetId(target.target_id)) for known in found]
    rows = {(name, build) for _, name, build in runtime.index.builds(target.collection)}
    assert rows == {(one.asset_id, one.live_build) for one in known}
    assert len(known) == 4
    assert compare.work(runtime, "three").batches == ()


@pytest.mark.integration
def test_a_process_that_is_frozen_within_a_transaction_holds_nobody_for_ever(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL takes the transaction back, and whoever wakes is told to try again."""
    monkeypatch.setattr(ledger_database, "IDLE_SECONDS", 1)
    url = postgres.database()
    frozen, other = SqlLedger(url), SqlLedger(url)
    frozen.add_target(TARGET)
    frozen.doubt(T, [asset("a")])
    change = update(assets).where(assets.c.asset_id == asset("a").asset_id).values(attempts=7)

    def freeze_within_a_transaction() -> None:
        with frozen._database.writing() as connection:
            connection.execute(change)
            other.doubt(T, [asset("a")])  # it waits for the row until the other one has lost it
            connection.execute(change)

    with pytest.raises(LedgerAway):
        freeze_within_a_transaction()
    assert [known.attempts for batch in other.known(T) for known in batch] == [0]
    frozen.doubt(T, [asset("a")])
