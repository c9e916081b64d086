"""The page of a run, made by whole runs on fakes: what it says is true, and nothing on it can
act."""

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from mmsearch_core.errors import StopEverything, TryLater
from mmsearch_core.layout import facts_key, page_key, plan_key
from mmsearch_core.pages.run.facts import Facts
from mmsearch_core.pages.run.night import latest
from mmsearch_core.pages.run.page import read_facts
from mmsearch_core.pages.run.thumbnails import thumbnails_of_strangers
from mmsearch_core.records.ids import RowId
from mmsearch_core.records.report import CloseReport
from mmsearch_core.wiring.batches import Runtime
from tasks import close, compare, plan
from tests.line import INDEX, ask, do, fake_runtime, feed, index, picture, search
from tests.pictures import mischief

EVIL = "pictures/p1/<script>alert(1)</script>\"'&\u202e{{7*7}}.jpg"


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, runtime: Runtime, batch: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = (runtime.work.get(page_key(batch)) or b"").decode()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def pictures(self) -> list[str]:
        return [str(attributes["src"]) for tag, attributes in self.elements if tag == "img"]


@pytest.fixture
def shop() -> Runtime:
    """Two good pictures, one that is cut off, one that is no picture at all, under a name that
    attacks the page."""
    runtime = fake_runtime(search={"buckets": 16})
    feed(runtime, {"p1": "Lumen 1"})
    for number, color in enumerate(("red", "blue")):
        runtime.catalog.put(f"pictures/p1/{number}.jpg", picture(color, size=200))
    whole = picture("green", size=200)
    runtime.catalog.put("pictures/p1/half.jpg", whole[: len(whole) * 2 // 3])
    runtime.catalog.put(EVIL, b"no picture")
    ask(runtime, ("red dress", "en"), ("蓝色连衣裙", "zh"))
    return runtime


def facts(runtime: Runtime, batch: str) -> Facts:
    """What lies beside the page, as other stages read it."""
    found = read_facts(runtime.work, batch)
    assert found
    return found


def test_a_page_says_what_was_done_what_failed_and_that_the_counts_agree(shop: Runtime) -> None:
    report = index(shop)[0]
    page, said = Page(shop, report.batch), facts(shop, report.batch)
    assert said.verdict == "look"
    assert said.headline == "Done: 2 assets indexed. 2 failures to look at."
    assert said.kinds == {"picture": {"added": 4, "failed": 2}}
    assert isinstance(said.report, CloseReport)
    assert said.report == replace(report, page="")  # it is written before the page has an address
    reasons = [(one.stage, one.kind, one.count) for one in said.failures.by_reason]
    assert sorted(reasons) == [("decode", "UnreadableMedia", 1), ("decode", "UnsupportedMedia", 1)]
    assert {one.name for one in said.failures.listed} == {EVIL, "pictures/p1/half.jpg"}
    assert all(check.held for check in said.checks)
    assert said.headline in page.text
    assert EVIL in page.text
    assert report.page == f"s3://mmsearch/{page_key(report.batch)}"


def test_a_page_stands_alone_and_nothing_on_it_can_act(shop: Runtime) -> None:
    """No script, no form, no handler, nothing from elsewhere, and a policy that forbids them all
    the same."""
    for batch in (index(shop)[0].batch, search(shop).batch):
        page = Page(shop, batch)
        assert not {"script", "iframe", "object", "form", "base"} & {
            tag for tag, _ in page.elements
        }
        assert not [
            name for _, attributes in page.elements for name in attributes if name.startswith("on")
        ]
        assert all(source.startswith("data:image/jpeg;base64,") for source in page.pictures)
        links = [str(attributes["href"]) for _, attributes in page.elements if "href" in attributes]
        assert all(re.fullmatch(r"\.\./[0-9a-f]+/report\.html", link) for link in links)
        policy = [a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a]
        assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_a_picture_that_is_cut_off_is_shown_as_far_as_it_goes(shop: Runtime) -> None:
    assert len(Page(shop, index(shop)[0].batch).pictures) == 1  # the other is no picture
    strange = {"a": picture("red"), "b": b"", "c": b"\xff\xd8"}
    assert set(thumbnails_of_strangers(strange.items())) == {"a"}


def test_a_picture_that_kills_hangs_or_swells_has_no_thumbnail_and_costs_itself_only() -> None:
    """Its child has little memory and little time; and all of them together have little time."""
    files = [
        ("a", picture("red")),
        *((str(end), end) for end in mischief.ENDS),
        ("b", picture("blue")),
    ]
    files = [(name, data) for name, data in files if data != mischief.HANG]
    assert set(thumbnails_of_strangers(files, mischief.shrinker)) == {"a", "b"}
    slow = [("hangs", mischief.HANG), ("late", picture("red"))]
    assert set(thumbnails_of_strangers(slow, mischief.shrinker, seconds=3)) == set()


def test_a_small_file_of_many_pixels_has_no_thumbnail_where_it_needs_too_much_memory() -> None:
    """As many pixels as are allowed, in a few thousand bytes: opened in this process it took over a
    gigabyte."""
    large = io.BytesIO()
    Image.new("RGBA", (7000, 7000)).save(large, "WEBP", lossless=True)
    assert len(large.getvalue()) < 20_000
    shown = thumbnails_of_strangers([("large", large.getvalue()), ("small", picture("red"))])
    assert "small" in shown


def test_the_nights_results_are_shown_with_their_pictures_and_the_index_beside_them(
    shop: Runtime,
) -> None:
    indexed = index(shop)[0]
    report = search(shop)
    page = Page(shop, report.batch)
    said = facts(shop, report.batch)
    assert said.verdict == "good"
    assert said.report == replace(report, page="")
    assert "Published: 2 queries" in page.text
    assert "蓝色连衣裙" in page.text
    assert len(page.pictures) == 2
    assert ("a", {"href": f"../{indexed.batch}/report.html"}) in page.elements
    again = search(shop, "run-2")
    assert "Nothing to publish" in Page(shop, again.batch).text
    newest = latest(shop.work, "search")
    assert newest
    assert (newest.batch, newest.verdict) == (again.batch, "good")


def test_a_run_that_is_refused_has_a_page_that_says_why(shop: Runtime) -> None:
    index(shop)
    ask(shop, ("unanswerable one", "en"), ("unanswerable two", "en"))
    with pytest.raises(
        StopEverything, match=r"nothing was published.* See s3://mmsearch/runs/\w+/report.html"
    ):
        search(shop)
    newest = latest(shop.work, "search")
    assert newest
    assert newest.verdict == "bad"
    assert newest.headline.startswith("Not done: Only 0 of 2 popular queries have results")


def test_a_check_that_does_not_hold_comes_first_and_turns_the_page_red(shop: Runtime) -> None:
    batch = compare.work(shop, "run").batches[0]
    shard = plan.work(shop, batch).shards[0]
    do(shop, shard, *INDEX[:-1])
    shop.catalog.put("pictures/p1/0.jpg", picture("black"))
    do(shop, shard, "upsert")
    with pytest.raises(TryLater, match="1 of 4 assets"):
        close.work(shop, batch)
    said, page = facts(shop, batch), Page(shop, batch)
    assert said.verdict == "bad"
    assert [check.name for check in said.checks if not check.held] == ["The ledger agrees"]
    assert page.text.index("does not hold") < page.text.index("What failed")


def test_counts_that_do_not_add_up_stop_the_run_even_if_every_report_is_there(
    shop: Runtime,
) -> None:
    """A plan that asks for more than the shards hold."""
    batch = compare.work(shop, "run").batches[0]
    shard = plan.work(shop, batch).shards[0]
    do(shop, shard, *INDEX)
    frozen = json.loads(shop.work.get(plan_key(batch)) or b"")
    frozen["shards"][shard] += 1
    shop.work.put(plan_key(batch), json.dumps(frozen).encode())
    with pytest.raises(StopEverything, match="Every change came through: no"):
        close.work(shop, batch)
    assert shop.index.resolve("mmsearch") is None


def test_a_run_without_work_is_a_good_run(shop: Runtime) -> None:
    batch = compare.work(shop, "run").batches[0]
    for number in ("0.jpg", "1.jpg", "half.jpg"):
        shop.catalog.delete(f"pictures/p1/{number}")
    shop.catalog.delete(EVIL)
    assert plan.work(shop, batch).shards == ()
    report = close.work(shop, batch)
    assert facts(shop, report.batch).headline == "Good: nothing had changed."


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"headline": "of the version before"}'])
def test_facts_of_another_version_are_none(shop: Runtime, data: bytes) -> None:
    """An estimate goes by the settings then, as before the first run."""
    shop.work.put(facts_key("b"), data)
    assert read_facts(shop.work, "b") is None


def test_it_says_whether_the_index_was_what_the_ledger_says(shop: Runtime) -> None:
    (first,) = index(shop)
    held = "The index was held against the ledger"
    found = {check.name: check.found for check in facts(shop, first.batch).checks}
    assert found[held] == "0 rows, 0 of them read back: 0 differences"
    collection = shop.target().collection
    lost, _ = shop.index.builds(collection)
    shop.index.remove_rows(collection, [RowId(lost[0])], writer=99)
    (mended,) = index(shop, "run-2")
    page = Page(shop, mended.batch)
    assert (
        "1 row, 1 of them read back: 1 difference (1 lost), mended by this night's batches"
        in page.text
    )
    assert facts(shop, mended.batch).verdict == "good"
    assert len(list(shop.index.builds(collection))) == 2
