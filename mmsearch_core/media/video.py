"""Videos: a segment a shot, found by what is seen in it and by what happens when."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mmsearch_core.media.kind import Media, of_normalised_pictures
from mmsearch_core.media.words import Words, caption_passage, passage_of
from mmsearch_core.records.description import Event
from mmsearch_core.records.passage import Passage
from mmsearch_core.records.segment import Span
from mmsearch_core.settings import Decode

READER = "decord 3, scenedetect 0.7"  # others may find other frames and shots
SHORTEST = 0.1  # seconds of an event
NEAR = 0.5  # seconds between two events that say the same and are one


def of_frames(settings: Decode) -> Mapping[str, str]:
    """The settings that decide which frames of a video are kept, and how."""
    return {
        **of_normalised_pictures(settings),
        "frames_per_second": str(settings.frames_per_second),
        "most_frames": str(settings.most_frames),
        "frame_side": str(settings.frame_side),
        "window_seconds": str(settings.window_seconds),
        "reader": READER,
    }


def passages(words: Words) -> list[Passage]:
    """The caption, and each event."""
    found = [caption_passage(words)]
    for number, event in enumerate(events(words)):
        text = "\n".join(dict.fromkeys(event.text[language] for language in sorted(event.text)))
        where = Span(start=event.start, end=event.end)
        found.append(passage_of(words, "event", number, text=text, where=where))
    return found


def events(words: Words) -> list[Event]:
    """What happens in the segment, as the model said it: within the segment, in the order of time,
    with one event for those that say the same of times that overlap or nearly meet."""
    where = words.segment.where
    if words.description is None or not isinstance(where, Span):
        return []
    within = [_within(event, where) for event in words.description.events]
    lasting = [event for event in within if event.end - event.start >= SHORTEST]
    return _merged(sorted(lasting, key=lambda event: (event.start, event.end)))


def _within(event: Event, span: Span) -> Event:
    start = min(max(event.start, span.start), span.end)
    return replace(event, start=round(start, 3), end=round(min(event.end, span.end), 3))


def _merged(ordered: Sequence[Event]) -> list[Event]:
    merged: list[Event] = []
    for event in ordered:
        same = next((other for other in merged if _is_one(other, event)), None)
        if same is None:
            merged.append(event)
        else:
            merged[merged.index(same)] = replace(same, end=max(same.end, event.end))
    return merged


def _is_one(earlier: Event, later: Event) -> bool:
    return dict(earlier.text) == dict(later.text) and later.start - earlier.end <= NEAR


VIDEO = Media(
    name="video",
    endings=frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"}),
    decode_version=2,
    decode_settings=of_frames,
    prompt="describe_video",
    describe_version=2,
    passages_version=1,
    passages=passages,
    segments=8,
    moving=True,
)
