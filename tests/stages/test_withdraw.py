"""Products that were removed or sold out since the results were published are shown to nobody."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mmsearch_core.layout import WITHDRAWN, generation_key
from mmsearch_core.records.ids import ProductId
from mmsearch_core.serving.results import Results
from mmsearch_core.serving.withdraw import withdraw
from mmsearch_core.serving.withdrawn import read_withdrawn
from mmsearch_core.stages.search import rollback
from mmsearch_core.testing.memory_feed import MemoryFeed
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import compare, drain
from tasks import rollback as going_back
from tests.line import index
from tests.nights import QUERIES, Interrupted, judged, make_older, night, products, shop


@pytest.fixture
def published() -> Runtime:
    runtime = shop(churn=1)
    night(runtime, "one")
    assert in_order(products(runtime, "red dress")) == ["p0", "p1", "p2", "p3"]
    return runtime


def in_order(found: list[str] | None) -> list[str] | None:
    """By name: products that are equally relevant stand in any order."""
    return found and sorted(found)


def write_feed(runtime: Runtime, **in_stock: bool) -> None:
    """The feed names these products only."""
    lines = [
        json.dumps(
            {
                "product_id": name,
                "title": {"en": f"Lumen {name[1:]}"},
                "price": 9.5,
                "in_stock": stock,
            }
        )
        for name, stock in in_stock.items()
    ]
    runtime.catalog.put("products.jsonl", "\n".join(lines).encode())


ALL = {f"p{number}": True for number in range(4)}


def test_nothing_is_written_while_everything_is_for_sale(published: Runtime) -> None:
    assert published.work.head(WITHDRAWN) is None
    index(published, "run-2")
    assert published.work.head(WITHDRAWN) is None


def test_what_is_sold_out_or_removed_is_left_out_at_once_and_comes_back(published: Runtime) -> None:
    write_feed(published, **{**ALL, "p2": False})
    compare.work(published, "run-2")
    assert in_order(products(published, "red dress")) == ["p0", "p1", "p3"]
    write_feed(published, p0=True, p2=False, p3=True)
    index(published, "run-3")
    assert in_order(products(published, "red dress")) == ["p0", "p3"]
    write_feed(published, **ALL)
    index(published, "run-4")
    assert in_order(products(published, "red dress")) == ["p0", "p1", "p2", "p3"]


def test_a_message_of_a_changed_feed_is_enough(published: Runtime) -> None:
    write_feed(published, **{**ALL, "p1": False})
    feed = published.changes
    assert isinstance(feed, MemoryFeed)
    record = {
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "catalog"}, "object": {"key": "products.jsonl"}},
    }
    feed.send(json.dumps({"Records": [record]}))
    drain.work(published, "run")
    assert in_order(products(published, "red dress")) == ["p0", "p2", "p3"]


def lose_product(runtime: Runtime, name: str) -> None:
    """As if another process had taken a feed without it."""
    ledger, feed = runtime.ledger, "catalog/products.jsonl"
    before = ledger.feed_state(feed)
    state = ledger.begin_feed(
        feed, version="without", modified_at=datetime.now(UTC), instead_of=before
    )
    ledger.put_products(state, (), gone=[ProductId(name)])


def test_what_sold_out_while_the_night_was_judged_is_withdrawn_with_the_flip(
    published: Runtime,
) -> None:
    from tasks import publish

    batch = judged(published, "two", QUERIES[:-1])
    lose_product(published, "p0")
    publish.work(published, batch)
    assert in_order(products(published, "red dress")) == ["p1", "p2", "p3"]


def test_going_back_withdraws_what_was_sold_out_since(published: Runtime) -> None:
    write_feed(published, **{**ALL, "p0": False})
    index(published, "run-2")
    night(published, "two", QUERIES[:-1])
    assert read_withdrawn(published.work) == frozenset()
    going_back.work(published, json.dumps({"run": "back"}))
    assert in_order(products(published, "red dress")) == ["p1", "p2", "p3"]
    rollback.release(published.work)


def test_a_generation_of_the_version_before_is_withdrawn_from_as_well(published: Runtime) -> None:
    make_older(published)
    write_feed(published, **{**ALL, "p2": False})
    index(published, "run-2")
    assert in_order(products(published, "red dress")) == ["p0", "p1", "p3"]


@pytest.mark.parametrize("lost", ["a bucket file", "the manifest", "the schema"])
def test_the_index_line_goes_on_where_the_results_are_broken_or_of_a_newer_version(
    published: Runtime, lost: str
) -> None:
    make_older(published)
    manifest = Results(published.work).manifest
    key = generation_key(manifest.generation)
    if lost == "the schema":
        plain = json.loads(published.work.get(key) or b"")
        published.work.put(key, json.dumps({**plain, "schema": 3}).encode())
    else:
        published.work.delete(
            key if lost == "the manifest" else next(iter(manifest.buckets.values()))
        )
    write_feed(published, **{**ALL, "p2": False})
    compare.work(published, "run-2")


def test_nothing_is_written_where_it_is_written_already(published: Runtime) -> None:
    write_feed(published, **{**ALL, "p2": False})
    index(published, "run-2")
    work = published.work
    assert isinstance(work, MemoryStore)
    writes = work.writes
    withdraw(work, published.ledger)
    assert work.writes == writes


@pytest.mark.parametrize("times", [1, 1_000])
def test_writers_that_meet_end_and_leave_what_the_ledger_says(
    published: Runtime, times: int
) -> None:
    write_feed(published, **{**ALL, "p2": False})
    lose_product(published, "p2")

    def another(*_: Any) -> None:
        published.work.delete(WITHDRAWN)
        withdraw(published.work, published.ledger)

    withdraw(Interrupted(published.work, another, WITHDRAWN, times), published.ledger)
    assert read_withdrawn(published.work) == {"p2"}
