"""What can be found in a segment."""

from dataclasses import dataclass

from mmsearch_core.records.ids import PassageId, SegmentId, digest
from mmsearch_core.records.segment import PassageKind, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of text that can be found, and the place it speaks of. One row each."""

    passage_id: PassageId
    segment_id: SegmentId
    kind: PassageKind
    where: Where
    text: str
    # False where the model's description was unusable and only the feed's words are here
    described: bool


def passage_id(segment: SegmentId, kind: PassageKind, number: int) -> PassageId:
    """The id of a passage's place: the ``number``-th of its kind in the segment, whatever it
    says."""
    return PassageId(digest("passage", segment, kind, str(number)))
