"""The feed, as shops really write it."""

import json
from pathlib import Path

import pytest

from mmsearch_core.catalog.feed import (
    LONGEST_LINE,
    LONGEST_TITLE,
    Unreadable,
    add_to_feed,
    read_line,
    read_lines,
)
from mmsearch_core.errors import BadSettings, Busy, PreconditionFailed
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import ProductId
from mmsearch_core.testing.memory_store import MemoryStore

GOOD = {"product_id": "p1", "title": {"en": "Lumen", "zh": "流明"}, "price": 9.5, "in_stock": True}
KEY = "products.jsonl"


def read(folder: Path, data: bytes) -> tuple[list[ProductId], int]:
    """The products that can be read, and how many lines cannot."""
    path = folder / "feed"
    path.write_bytes(data)
    found = [read_line(line) for _, line in read_lines(path)]
    products = [said.product_id for said in found if isinstance(said, Product)]
    return products, len(found) - len(products)


def product(line: bytes) -> Product:
    said = read_line(line)
    assert isinstance(said, Product), said
    return said


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
        (b"\n \r\n", ([], 0)),
        (b"\xef\xbb\xbf" + lines(GOOD), (["p1"], 0)),  # a byte order mark, as Excel writes it
        (lines(GOOD).decode().encode("utf-16"), ([], 1)),
        (b"product_id;title\np1;Lumen\n", ([], 2)),
        (lines(GOOD).replace(b"\n", b"\r\n") + b"\r\n\r\n", (["p1"], 0)),
        (
            lines({**GOOD, "title": "line\u2028break"}, {**GOOD, "product_id": "p2"}),
            (["p1", "p2"], 0),
        ),
        (b"not json\n" + lines(GOOD), (["p1"], 1)),
        (b'{"product_id": "p0", "title": "\xff"}\n' + lines(GOOD), (["p1"], 1)),
        (b'{"product_id": "p0", "title": "x", "f": ' + DEEP + b"}\n" + lines(GOOD), (["p1"], 1)),
        (
            b'{"product_id": "p0", "f": ' + b"[" * 300 + b"]" * 300 + b"}\n" + lines(GOOD),
            (["p1"], 1),
        ),
        (b'{"product_id": "p0"\r{"product_id": "p9"}\n' + lines(GOOD), (["p1"], 1)),
        (
            b'{"product_id": "p0", "title": "' + b"x" * LONGEST_LINE * 3 + b'"}\n' + lines(GOOD),
            (["p1"], 1),
        ),
        (lines([1, 2], "text", 7, None, GOOD), (["p1"], 4)),
        (lines({"title": "no id"}, {"product_id": "no title"}, GOOD), (["p1"], 2)),
        (lines({**GOOD, "price": "cheap"}, {**GOOD, "price": None}), (["p1"], 1)),
        (lines({"product_id": 7, "title": "a number for a name"}), (["7"], 0)),
        (lines(*wrong("product_id", None, "", True, ["p"], {}, "裙" * 86), GOOD), (["p1"], 6)),
        (
            lines(*wrong("title", None, [], {"en": None}, {"en": ["x"]}, {"x" * 36: "x"}), GOOD),
            (["p1"], 5),
        ),
        (lines(*wrong("price", float("nan"), 10**400, [9], "9,50"), GOOD), (["p1"], 4)),
        (b'{"product_id": "p0", "title": "\\ud800", "price": ' + b"9" * 400 + b"}", ([], 1)),
        (
            lines(
                *wrong("url", ["x"]), *wrong("currency", ["EUR"]), *wrong("in_stock", "maybe", 5)
            ),
            ([], 4),
        ),
        (lines(GOOD)[:-5] + b"\n" + lines({**GOOD, "product_id": "p2"}), (["p2"], 1)),
    ],
)
def test_a_line_that_cannot_be_read_costs_itself_only(
    tmp_path: Path, data: bytes, expected: tuple[list[str], int]
) -> None:
    assert read(tmp_path, data) == expected


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (lines(*wrong("in_stock", 5)), "p1"),
        (lines(*wrong("price", "9,50")), "p1"),
        (b'{"title": "x", "price": "9,50", "product_id": 12}', "12"),
        (lines(GOOD)[:25], "p1"),  # an upload that broke off
        (b'{"product_id":"p\\"0","title":"\xff', 'p"0'),
        (b'{"product_id": "p0", "title": "x", "f": ' + DEEP + b"}", "p0"),
        (b'{"product_id": "p0", "title": "' + b"x" * LONGEST_LINE, "p0"),
        (b'{"product_id": 12, "title', "12"),
        (b'{"product_id": "p', None),
        (b'{"product_id": "\\q", "title', None),
        (b'{"product_id": "p\xff", "title": "x"}', None),
        (b'{"product_id": "p\\u0000", "title": "x"}', None),
        (b'{"product_id": "p\\udc00", "title": "x"}', None),
        (b'{"of": {"product_id": "p0"', None),
        (lines(*wrong("product_id", True)), None),
        (lines(*wrong("product_id", "x" * 256)), None),
        (b"product_id;title", None),
        (b"[" * 100_000, None),
        (lines(*wrong("title", {"\x1b[31m" + "x" * 100_000: "x"})), "p1"),
    ],
)
def test_a_line_that_cannot_be_read_may_still_name_its_product(
    line: bytes, name: str | None
) -> None:
    """So that what is known of the product can stay."""
    said = read_line(line)
    assert isinstance(said, Unreadable)
    assert said.product_id == name
    assert 0 < len(said.reason) <= 200
    assert "\x1b" not in said.reason


def test_what_a_line_says_is_taken_as_it_is_meant() -> None:
    said = {
        "product_id": 12,
        "title": 501,
        "price": "9.50",
        "in_stock": "false",
        "size": ["S", "M"],
        "brand": "流明",
    }
    found = product(lines(said))
    assert (found.product_id, found.title, found.price, found.in_stock) == (
        "12",
        {"en": "501"},
        9.5,
        False,
    )
    assert found.facts == {"size": '["S", "M"]', "brand": "流明"}


@pytest.mark.parametrize(
    ("written", "title"),
    [
        (b"Red\\ud83d", "Red"),  # cut in the middle of an emoji, as Java and JavaScript do
        (b"Red \\ud83d\\ude00", "Red \U0001f600"),
        (b"Red\\u0000dress", "Reddress"),
        (b"Red\tdress", "Red dress"),
        (b"Red\\r\\n dress\\u0085", "Red dress"),
        (b"\\u001b[31mRed\\u001b[0m \\u001b]0;owned\\u0007dress\\u009b2J", "Red dress"),
        (b"Red\\u200d  dress", "Red\u200d  dress"),  # nothing to clean: nothing is changed
        (b"[bold]Red[/m\xc2\xb2]", "[bold]Red[/m²]"),
    ],
)
def test_titles_are_cleaned(written: bytes, title: str) -> None:
    found = product(
        b'{"product_id": "p1", "title": {"en": "' + written + b'"}, "brand": "x\\u0000\\ud800"}'
    )
    assert found.title == {"en": title}
    found.text_digest.encode()


def test_a_title_is_cut_at_a_character() -> None:
    """It stands in every row of the index, and an answer holds many rows."""
    found = product(lines({**GOOD, "title": {"zh": "裙" * 100_000, "en": "x" * LONGEST_TITLE}}))
    assert found.title == {"zh": "裙" * (LONGEST_TITLE // 3), "en": "x" * LONGEST_TITLE}


class TestAdd:
    """A product that somebody adds by hand, to a feed that is the shop's."""

    @pytest.mark.parametrize(
        "before",
        [
            b"",
            lines(GOOD),
            lines(GOOD) + b"\n",
            b"\xef\xbb\xbf" + lines(GOOD).replace(b"{", b" {", 1) + b"\r\n\r\n",
            lines({**GOOD, "title": "one\u2028two\u0085three\x0bfour"}) + b"\n",
            b'{"product_id": "p0", "title": "\xff"}\nno json\n{"product_id": 7}\n',
        ],
    )
    def test_every_other_line_stays_as_it_is(self, before: bytes) -> None:
        store = MemoryStore("catalog")
        store.put(KEY, before)
        assert add_to_feed(store, KEY, "p9", "New") is False
        after = store.get(KEY) or b""
        assert after.startswith(before)
        (line,) = after[len(before) :].strip().split(b"\n")
        assert product(line).title == {"en": "New"}
        assert add_to_feed(store, KEY, "p9", "Other") is True
        assert store.get(KEY) == after

    @pytest.mark.parametrize(
        "known", [b' {"product_id": "p9"}', b"\xef\xbb\xbf" + b'{"product_id": "p9", "price": "9,5']
    )
    def test_a_product_that_the_feed_names_is_known(self, known: bytes) -> None:
        store = MemoryStore("catalog")
        store.put(KEY, known)
        assert add_to_feed(store, KEY, "p9", "New") is True

    def test_a_feed_that_is_not_there_is_begun(self) -> None:
        store = MemoryStore("catalog")
        assert add_to_feed(store, KEY, "p9", "New\ud800") is False
        assert product(store.get(KEY) or b"").product_id == "p9"

    @pytest.mark.parametrize("name", ["", "x" * 256, "p\ud800", "p\x00"])
    def test_a_name_that_no_product_can_have_is_refused(self, name: str) -> None:
        with pytest.raises(BadSettings, match="correct its name"):
            add_to_feed(MemoryStore("catalog"), KEY, name, "New")

    def test_who_is_always_too_late_is_told_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where others write all the time, and where a store never lets a condition hold."""

        class Contested(MemoryStore):
            tries = 0

            def put(self, key: str, data: bytes, **_: object) -> str:
                self.tries += 1
                raise PreconditionFailed("The object is not as the caller expected.")

        monkeypatch.setattr("time.sleep", lambda _: None)
        store = Contested("catalog")
        with pytest.raises(Busy, match="add p9 again"):
            add_to_feed(store, KEY, "p9", "New")
        assert store.tries == 5
