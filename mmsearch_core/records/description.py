"""What Qwen3-VL says of a segment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmsearch_core.records.ids import SegmentId
from mmsearch_core.records.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenText:
    """Text read in the picture; the box is x1, y1, x2, y2 in thousandths of width and height."""

    text: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happens in a video, in seconds on a player's clock; its text by language."""

    start: float
    end: float
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Attributes by name; caption and keywords by language ("en", "zh"); events as the model said
    them. ``likelihoods`` say how likely each value of a closed attribute is, where the model was
    asked for it: by attribute and value, to four digits, without those that are next to nothing."""

    segment_id: SegmentId
    attributes: Mapping[str, str]
    caption: Mapping[str, str]
    keywords: Mapping[str, tuple[str, ...]]
    seen_text: tuple[SeenText, ...] = ()
    events: tuple[Event, ...] = ()
    tables: tuple[Table, ...] = ()  # of a page that has no text of its own
    likelihoods: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def judged_text(self) -> str:
        """How the judge reads this description: the caption, then each attribute by its name."""
        return bracketed(
            self.caption.get("en", ""),
            [f"{name}: {value}" for name, value in self.attributes.items()],
        )


def bracketed(text: str, parts: list[str]) -> str:
    """``text (part; part)``; without parts, the text alone. One form for descriptions and
    queries."""
    return f"{text} ({'; '.join(parts)})" if parts else text
