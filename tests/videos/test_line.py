"""Videos through the whole line."""

import re

import pytest

from mmsearch_core.layout import PIXELS
from mmsearch_core.records.segment import Span
from mmsearch_core.wiring.batches import Runtime
from tests.line import fake_runtime, feed, index, picture
from tests.videos.made import video

KEY = "pictures/p1/turn.mp4"
CUT = video(("red", 2.0), ("blue", 3.0))


@pytest.fixture
def shop() -> Runtime:
    """Two products with pictures; one has a video of two shots."""
    runtime = fake_runtime(search={"buckets": 16})
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    runtime.catalog.put("pictures/p1/1.jpg", picture("green"))
    runtime.catalog.put("pictures/p2/1.jpg", picture("blue"))
    runtime.catalog.put(KEY, CUT)
    return runtime


def places(runtime: Runtime) -> list[tuple[str, str, str]]:
    """Place, kind and first words of every row that speaks of a span."""
    rows = runtime.index.rows_between(runtime.target().collection, "0", "g")
    found = [each.row for each in rows if isinstance(each.row.where, Span)]
    return sorted((str(row.where), row.kind, row.text.splitlines()[0]) for row in found)


def test_shots_become_rows_by_what_is_seen_and_by_what_happens(shop: Runtime) -> None:
    (report,) = index(shop)
    assert report.assets == {"live": 3, "failed": 0, "removed": 0, "unsettled": 0}
    found = places(shop)
    assert [(place, kind) for place, kind, _ in found if kind == "caption"] == [
        ("span:0.000-2.000", "caption"),
        ("span:2.000-5.000", "caption"),
    ]
    turns = [(place, said) for place, kind, said in found if kind == "event"]
    assert turns[0] == ("span:0.000-2.000", "the red dress turns around")
    assert turns[1][0].startswith("span:2.")
    assert turns[1][1] == "the blue dress turns around"


@pytest.mark.parametrize(("locale", "words"), [("en", "turns around"), ("zh", "转身")])
def test_a_moment_is_found_by_its_words(shop: Runtime, locale: str, words: str) -> None:
    index(shop)
    (found,) = shop.index.search_text(shop.target().collection, locale, [words], 5)
    assert {match.kind for match in found} == {"event"}
    assert all(isinstance(match.where, Span) for match in found)


def test_a_replaced_video_leaves_nothing_of_the_old_one(shop: Runtime) -> None:
    index(shop)
    shop.catalog.put(KEY, video(("green", 4.0)))
    (report,) = index(shop, "run-2")
    assert report.plan == {"changed": 1}
    assert {place for place, kind, _ in places(shop) if kind == "caption"} == {"span:0.000-4.000"}
    assert not any("red" in said for _, _, said in places(shop))
    shop.catalog.delete(KEY)
    index(shop, "run-3")
    assert places(shop) == []


def test_an_unchanged_video_costs_nothing_and_a_copy_no_model(shop: Runtime) -> None:
    index(shop)
    calls = (shop.vlm.calls, shop.clip.calls)  # type: ignore[attr-defined]
    assert index(shop, "run-2") == []
    shop.catalog.put("pictures/p2/copy.mp4", CUT)
    index(shop, "run-3")
    assert (shop.vlm.calls, shop.clip.calls) == calls  # type: ignore[attr-defined]


def test_frames_lie_beside_the_picture_that_stands_for_them(shop: Runtime) -> None:
    index(shop)
    there = {found.key for found in shop.work.list(PIXELS)}
    films = {key for key in there if key.endswith(".frames.parquet")}
    assert len(films) == 2
    assert {key.removesuffix(".frames.parquet") + ".jpg" for key in films} <= there


def test_a_video_that_can_be_read_in_part_is_found_and_named(shop: Runtime) -> None:
    """Its index says six seconds and more, and the file ends before."""
    whole = video(("red", 3.0), ("blue", 3.0), container="matroska")
    shop.catalog.put("pictures/p2/half.mkv", whole[: len(whole) * 2 // 3])
    (report,) = index(shop)
    assert report.assets == {"live": 4, "failed": 0, "removed": 0, "unsettled": 0}
    ((key, failure),) = shop.ledger.failures(shop.target().target_id, limit=5)
    assert (key, failure.stage, failure.kind) == (
        "pictures/p2/half.mkv",
        "decode",
        "UnreadableMedia",
    )
    said = r"^[1-4]\.\d seconds of pictures/p2/half\.mkv cannot be read: export it again\.$"
    assert re.match(said, failure.message)
    shop.catalog.put("pictures/p2/half.mkv", whole)
    index(shop, "run-2")
    assert list(shop.ledger.failures(shop.target().target_id, limit=5)) == []


def test_a_video_that_cannot_be_opened_is_a_failure_of_its_own(shop: Runtime) -> None:
    shop.catalog.put("pictures/p2/broken.mp4", CUT[: len(CUT) // 2])
    (report,) = index(shop)
    assert (report.assets["live"], report.assets["failed"]) == (3, 1)
    ((key, failure),) = shop.ledger.failures(shop.target().target_id, limit=5)
    assert (key, failure.kind) == ("pictures/p2/broken.mp4", "UnreadableMedia")
