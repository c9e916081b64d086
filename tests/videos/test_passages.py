"""What a model says of a shot becomes passages at the times of the video."""

from mmsearch_core.media.video import VIDEO, events
from mmsearch_core.media.words import Words
from mmsearch_core.records.description import Description, Event
from mmsearch_core.records.ids import AssetId, PixelsId, ProductId, SegmentId
from mmsearch_core.records.segment import Segment, Span, Whole

SHOT = Span(start=10, end=20)


def event(start: float, end: float, text: str = "turns around") -> Event:
    return Event(start=start, end=end, text={"en": text, "zh": "转身"})


def words(*said: Event, where: Span | Whole = SHOT) -> Words:
    segment = Segment(
        segment_id=SegmentId("s"),
        asset_id=AssetId("a"),
        product_id=ProductId("p"),
        where=where,
        pixels=PixelsId("x"),
    )
    description = Description(
        segment_id=SegmentId("s"),
        attributes={"color": "red"},
        caption={"en": "red dress", "zh": "红色连衣裙"},
        keywords={},
        events=said,
    )
    return Words(segment=segment, description=description, product=None)


def test_a_caption_and_a_passage_an_event() -> None:
    caption, turn = VIDEO.passages(words(event(12, 14)))
    assert (caption.kind, caption.where, caption.text) == ("caption", SHOT, "red dress\n红色连衣裙")
    assert (turn.kind, turn.where, turn.text) == (
        "event",
        Span(start=12, end=14),
        "turns around\n转身",
    )


def test_events_stay_within_their_shot() -> None:
    """A model may say any times."""
    said = [event(0, 12), event(3, 5, "before"), event(25, 30, "behind"), event(19, 99, "late")]
    assert [(one.start, one.end) for one in events(words(*said))] == [(10, 12), (19, 20)]


def test_events_that_run_backwards_or_take_no_time_are_left_out() -> None:
    assert events(words(event(14, 12), event(15, 15), event(16, 16.05))) == []


def test_events_come_in_the_order_of_time() -> None:
    found = events(words(event(16, 18, "walks"), event(11, 12, "stands")))
    assert [one.text["en"] for one in found] == ["stands", "walks"]


def test_what_is_said_twice_is_one_event() -> None:
    """Of times that overlap or nearly meet; others are two, and so are those that say another
    thing."""
    said = [event(11, 13), event(12, 14), event(14.4, 15), event(17, 18), event(11, 14, "walks")]
    found = [(one.start, one.end, one.text["en"]) for one in events(words(*said))]
    assert found == [
        (11, 15, "turns around"),
        (11, 14, "walks"),
        (17, 18, "turns around"),
    ]


def test_without_a_description_there_is_no_event() -> None:
    silent = words()
    assert [passage.kind for passage in VIDEO.passages(silent)] == ["caption"]
    assert events(words(event(0, 1), where=Whole())) == []
