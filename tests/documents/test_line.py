"""PDFs through the whole line."""

import pytest

from mmsearch_core.records.ranking import Evidence
from mmsearch_core.records.segment import Page
from mmsearch_core.serving.results import Results
from mmsearch_core.wiring.batches import Runtime
from tests.documents.made import colored, pdf, text
from tests.line import ask, fake_runtime, feed, index, picture, search
from tests.stages.test_read_tables import CHART, lines

KEY = "pictures/p1/care.pdf"


@pytest.fixture
def shop() -> Runtime:
    """Two products with pictures; one has a document of three pages, one of which is a scan."""
    runtime = fake_runtime(search={"buckets": 16})
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    runtime.catalog.put("pictures/p1/1.jpg", picture("red"))
    runtime.catalog.put("pictures/p2/1.jpg", picture("blue"))
    care = pdf(text("Size chart"), text("Tumble dry never"), colored((30, 60, 200)))
    runtime.catalog.put(KEY, care)
    return runtime


def places(runtime: Runtime) -> list[tuple[str, str]]:
    """Place and kind of every row that speaks of a page."""
    rows = runtime.index.rows_between(runtime.target().collection, "0", "g")
    found = [each.row for each in rows if isinstance(each.row.where, Page)]
    return sorted((str(row.where), row.kind) for row in found)


def test_pages_become_rows_by_what_is_seen_and_by_what_they_say(shop: Runtime) -> None:
    (report,) = index(shop)
    assert report.assets == {"live": 3, "failed": 0, "removed": 0, "unsettled": 0}
    assert places(shop) == [
        ("page:1", "caption"),
        ("page:1", "page_text"),
        ("page:2", "caption"),
        ("page:2", "page_text"),
        ("page:3", "caption"),
    ]


def test_a_page_is_found_by_its_words(shop: Runtime) -> None:
    index(shop)
    collection = shop.target().collection
    (found,) = shop.index.search_text(collection, "en", ["tumble dry"], 5)
    assert (found[0].kind, found[0].where) == ("page_text", Page(number=2))
    assert found[0].text == "Tumble dry never"


def test_a_document_that_loses_two_pages_loses_their_rows(shop: Runtime) -> None:
    """And the page that stays as it was is described no more."""
    index(shop)
    shop.catalog.put(KEY, pdf(text("Size chart")))
    (report,) = index(shop, "run-2")
    assert report.plan == {"changed": 1}
    assert places(shop) == [("page:1", "caption"), ("page:1", "page_text")]
    shop.catalog.delete(KEY)
    index(shop, "run-3")
    assert places(shop) == []


def test_an_unchanged_document_costs_nothing(shop: Runtime) -> None:
    index(shop)
    calls = (shop.vlm.calls, shop.clip.calls, shop.sbert.calls)  # type: ignore[attr-defined]
    assert index(shop, "run-2") == []
    assert (shop.vlm.calls, shop.clip.calls, shop.sbert.calls) == calls  # type: ignore[attr-defined]


def test_a_page_is_evidence_of_its_product(shop: Runtime) -> None:
    """A product that has nothing else is shown for what its document shows, with the page."""
    shop.catalog.delete("pictures/p1/1.jpg")
    index(shop)
    ask(shop, ("blue dress", "en"))
    search(shop)
    listed = Results(shop.work).look_up("blue dress", "en")
    assert listed
    evidence: dict[str, Evidence] = {hit.product_id: hit.evidence for hit in listed.hits}
    assert evidence["p1"].key == KEY
    assert str(evidence["p1"].where) in ("page:1", "page:2", "page:3")
    assert str(evidence["p2"].where) == "whole"


def test_a_document_that_cannot_be_opened_is_a_failure_of_its_own(shop: Runtime) -> None:
    shop.catalog.put("pictures/p2/broken.pdf", b"%PDF-1.7 and no more")
    (report,) = index(shop)
    assert (report.assets["live"], report.assets["failed"]) == (3, 1)
    ((key, failure),) = shop.ledger.failures(shop.target().target_id, limit=5)
    assert (key, failure.kind) == ("pictures/p2/broken.pdf", "UnreadableMedia")


def test_a_row_of_a_table_is_found_by_its_words_and_headers(shop: Runtime) -> None:
    """With the page on which it stands, and where on it; the row goes with its page."""
    shop.catalog.put(KEY, pdf(text("Size chart"), lines(*CHART)))
    index(shop)
    collection = shop.target().collection
    rows = [row for row in places(shop) if row[1] == "table_row"]
    assert rows == [
        ("page:2@0,333,1000,666", "table_row"),
        ("page:2@0,666,1000,1000", "table_row"),
    ]
    (found,) = shop.index.search_text(collection, "en", ["waist M 76"], 5)
    row = next(match for match in found if match.kind == "table_row")
    assert (row.text, row.where) == (
        "size M; waist 76 cm",
        Page(number=2, box=(0, 666, 1000, 1000)),
    )
    shop.catalog.put(KEY, pdf(text("Size chart")))
    index(shop, "run-2")
    assert "table_row" not in dict(map(reversed, places(shop)))  # type: ignore[arg-type]


def test_a_product_is_what_its_pictures_show_whatever_its_pages_do(shop: Runtime) -> None:
    index(shop)
    ask(shop, ("blue dress", "en"))
    search(shop)
    listed = Results(shop.work).look_up("blue dress", "en")
    assert listed
    assert [hit.product_id for hit in listed.hits] == ["p2"]
