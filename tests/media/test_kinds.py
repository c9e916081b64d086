"""Kinds of assets beside each other: what changes for one leaves the others as they are."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.adapters.pillow_picture import open_picture
from mmsearch_core.layout import PIXELS
from mmsearch_core.media import KINDS, kind_of
from mmsearch_core.media.document import DOCUMENT
from mmsearch_core.ports.media import Content
from mmsearch_core.records.ids import AssetId, Build
from mmsearch_core.records.segment import Decoded, Page
from mmsearch_core.settings import Decode
from mmsearch_core.testing.fake_models import FakeDecoder
from mmsearch_core.wiring.batches import Runtime
from tests.line import fake_runtime, feed, index, picture


def open_pages(content: Content, _settings: Decode) -> list[Decoded]:
    """The opener of a document that consists of the colors of its pages: "red blue"."""
    assert isinstance(content, Path)
    pages = []
    for number, color in enumerate(content.read_text().split(), start=1):
        pages.append(Decoded(where=Page(number=number), jpeg=picture(color), text=f"page {color}"))
    return pages


@pytest.fixture
def shop() -> Runtime:
    """Two products with a picture and a document each."""
    decoder = FakeDecoder({"picture": open_picture, "document": open_pages})
    runtime = fake_runtime().having(decoder=decoder)
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    runtime.catalog.put("pictures/p1/1.jpg", picture("red"))
    runtime.catalog.put("pictures/p2/1.jpg", picture("blue"))
    runtime.catalog.put("pictures/p1/care.pdf", b"green black")
    runtime.catalog.put("pictures/p2/care.pdf", b"black")
    return runtime


def builds(runtime: Runtime, kind: str) -> dict[AssetId, Build | None]:
    known = [each for batch in runtime.ledger.known(runtime.target().target_id) for each in batch]
    return {each.asset_id: each.live_build for each in known if kind_of(each.key) == kind}


def rows(runtime: Runtime, kind: str) -> dict[str, tuple[str, str, str]]:
    """Of each row its place, its pixels and its build."""
    assets = builds(runtime, kind)
    stored = runtime.index.rows_between(runtime.target().collection, "0", "g")
    found: dict[str, tuple[str, str, str]] = {}
    for row in [each.row for each in stored]:
        if row.asset_id in assets:
            found[row.row_id] = (str(row.where), row.pixels, row.build)
    return found


def pixels(runtime: Runtime) -> set[str]:
    return {found.key for found in runtime.work.list(PIXELS)}


def answers(runtime: Runtime) -> dict[Any, bytes]:
    return dict(runtime.memo._answers)  # type: ignore[attr-defined]


def test_a_document_is_indexed_page_by_page(shop: Runtime) -> None:
    (report,) = index(shop)
    assert report.assets == {"live": 4, "failed": 0, "removed": 0, "unsettled": 0}
    assert len(rows(shop, "picture")) == 2
    places = Counter(place for place, _, _ in rows(shop, "document").values())
    # a caption and the page's own text each
    assert places == {"page:1": 2 * 2, "page:2": 2}


@pytest.mark.parametrize(
    ("change", "described", "embedded"),
    [
        ({"decode_version": 7}, 3, 3),
        ({"describe_version": 7}, 3, 0),
        ({"passages_version": 7}, 0, 0),
    ],
)
def test_a_change_for_documents_touches_no_picture(
    shop: Runtime, change: Mapping[str, Any], described: int, embedded: int
) -> None:
    """No build, no pixels, no remembered answer of a picture; and every document is made anew."""
    index(shop)
    before = {
        "builds": builds(shop, "picture"),
        "rows": rows(shop, "picture"),
        "recipes": shop.index_recipes["picture"],
    }
    documents, there, remembered = builds(shop, "document"), pixels(shop), answers(shop)
    calls = (shop.vlm.calls, shop.clip.calls)  # type: ignore[attr-defined]
    shop = shop.having(kinds={**KINDS, "document": replace(DOCUMENT, **change)})
    index(shop, "run-2")
    assert before == {
        "builds": builds(shop, "picture"),
        "rows": rows(shop, "picture"),
        "recipes": shop.index_recipes["picture"],
    }
    assert not documents.items() & builds(shop, "document").items()
    assert there <= pixels(shop)
    assert answers(shop).items() >= remembered.items()
    assert shop.vlm.calls - calls[0] == described  # type: ignore[attr-defined]
    assert shop.clip.calls - calls[1] == embedded  # type: ignore[attr-defined]


def test_a_kind_that_nothing_opens_is_a_failure_that_says_so() -> None:
    shop = fake_runtime().having(decoder=FakeDecoder({"picture": open_picture}))
    feed(shop, {"p1": "Lumen 1"})
    shop.catalog.put("pictures/p1/turn.mp4", b"\x00\x00\x00\x18ftypmp42")
    index(shop)
    ((_, failure),) = shop.ledger.failures(shop.target().target_id, limit=9)
    assert failure.kind == "UnsupportedMedia"
    assert re.search("video cannot be opened yet", failure.message)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("a/1.jpg", "picture"),
        ("a/1.MP4", "video"),
        ("a/1.pdf", "document"),
        ("a/1", "picture"),
        ("a.pdf/1.png", "picture"),
        (".pdf", "picture"),
    ],
)
def test_the_ending_of_a_key_says_the_kind(key: str, kind: str) -> None:
    assert kind_of(key) == kind
