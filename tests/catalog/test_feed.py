"""The feed, as shops really write it."""

import json

import pytest

from mmsearch_core.catalog.feed import read_feed
from mmsearch_core.errors import BadSettings
from mmsearch_core.testing.memory_ledger import MemoryLedger
from mmsearch_core.testing.memory_store import MemoryStore

GOOD = {"product_id": "p1", "title": {"en": "Lumen", "zh": "流明"}, "price": 9.5, "in_stock": True}


def read(data: bytes) -> tuple[list[str], int]:
    store = MemoryStore("catalog")
    store.put("products.jsonl", data)
    products, unreadable = read_feed(store, "products.jsonl")
    return [product.product_id for product in products], unreadable


DEEP = b"[" * 50_000 + b"]" * 50_000


def wrong(name: str, *values: object) -> list[dict[str, object]]:
    return [{**GOOD, name: value} for value in values]


def lines(*things: object) -> bytes:
    return "\n".join(json.dumps(thing, ensure_ascii=False) for thing in things).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (lines(GOOD), (["p1"], 0)),
        (b"", ([], 0)),
        (b"\xef\xbb\xbf" + lines(GOOD), (["p1"], 0)),  # a byte order mark, as Excel writes it
        (lines(GOOD).decode().encode("utf-16"), ([], 1)),
        (b"product_id;title\np1;Lumen\n", ([], 2)),
        (lines(GOOD).replace(b"\n", b"\r\n") + b"\r\n\r\n", (["p1"], 0)),
        (lines({**GOOD, "title": "line\u2028break"}, {**GOOD, "product_id": "p2"}), (["p1", "p2"], 0)),
        (b"not json\n" + lines(GOOD), (["p1"], 1)),
        (b'{"product_id": "p0", "title": "\xff"}\n' + lines(GOOD), (["p1"], 1)),
        (b'{"product_id": "p0", "title": "\\ud800"}\n' + lines(GOOD), (["p1"], 1)),  # half a character
        (b'{"product_id": "p0", "title": "a\\u0000b"}\n' + lines(GOOD), (["p1"], 1)),
        (b'{"product_id": "p0", "title": "x", "f": ' + DEEP + b"}\n" + lines(GOOD), (["p1"], 1)),
        (b'{"product_id": "p0"\r{"product_id": "p9"}\n' + lines(GOOD), (["p1"], 1)),
        (lines([1, 2], "text", 7, None, GOOD), (["p1"], 4)),
        (lines({"title": "no id"}, {"product_id": "no title"}, GOOD), (["p1"], 2)),
        (lines({**GOOD, "price": "cheap"}, {**GOOD, "price": None}), (["p1"], 1)),
        (lines({"product_id": 7, "title": "a number for a name"}), (["7"], 0)),
        (lines(*wrong("product_id", None, "", True, ["p"], {}, "裙" * 86), GOOD), (["p1"], 6)),
        (lines(*wrong("title", None, [], {"en": None}, {"en": ["x"]}), GOOD), (["p1"], 4)),
        (lines(*wrong("price", float("nan"), 10**400, [9]), GOOD), (["p1"], 3)),
        (lines(*wrong("url", ["x"]), *wrong("currency", ["EUR"]), *wrong("in_stock", "maybe"), GOOD), (["p1"], 3)),
        (lines(GOOD)[:-5] + b"\n" + lines({**GOOD, "product_id": "p2"}), (["p2"], 1)),
    ],
)
def test_a_line_that_cannot_be_read_costs_itself_only(data: bytes, expected: tuple[list[str], int]) -> None:
    assert read(data) == expected


def test_of_a_product_named_twice_the_last_line_counts() -> None:
    store = MemoryStore("catalog")
    store.put("products.jsonl", lines(GOOD, {**GOOD, "price": 5}))
    ((product,), _) = read_feed(store, "products.jsonl")
    assert product.price == 5


def test_a_feed_that_is_not_there_is_said_in_one_sentence() -> None:
    with pytest.raises(BadSettings, match=r"catalog\.feed"):
        read_feed(MemoryStore("catalog"), "products.jsonl")


def test_what_a_line_says_is_taken_as_it_is_meant() -> None:
    store = MemoryStore("catalog")
    said = {"product_id": 12, "title": 501, "price": "9.50", "in_stock": "false", "size": ["S", "M"], "brand": "流明"}
    store.put("products.jsonl", lines(said))
    ((product,), _) = read_feed(store, "products.jsonl")
    assert (product.product_id, product.title, product.price, product.in_stock) == ("12", {"en": "501"}, 9.5, False)
    assert product.facts == {"size": '["S", "M"]', "brand": "流明"}
    assert MemoryLedger().put_products([product]) == 1
