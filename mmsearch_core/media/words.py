"""What is known of a segment in words, and the passage that segments of every kind have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from mmsearch_core.records.asset import Product
from mmsearch_core.records.description import Description
from mmsearch_core.records.passage import Passage, passage_id
from mmsearch_core.records.segment import PassageKind, Segment, Where
from mmsearch_core.records.table import Table

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """All that is known of a segment in words; the description is missing where the model's answer
    was unusable. ``tables`` are those of a page's text layer."""

    segment: Segment
    description: Description | None
    product: Product | None
    tables: tuple[Table, ...] = ()


def caption_passage(words: Words) -> Passage:
    """What was described of the segment: caption, keywords and seen text in every language, then
    the feed's titles; one line each, no line twice."""
    said = words.description
    lines: list[str] = []
    if said:
        lines += _by_language(said.caption)
        lines += map(" ".join, _by_language(said.keywords))
        lines += [seen.text for seen in said.seen_text]
    if words.product:
        lines += _by_language(words.product.title)
    text = "\n".join(dict.fromkeys(line for line in lines if line))
    return passage_of(words, "caption", 0, text=text, where=words.segment.where)


def passage_of(words: Words, kind: PassageKind, number: int, *, text: str, where: Where) -> Passage:
    """The ``number``-th passage of this kind in the segment."""
    return Passage(
        passage_id=passage_id(words.segment.segment_id, kind, number),
        segment_id=words.segment.segment_id,
        kind=kind,
        where=where,
        text=text,
        described=words.description is not None,
    )


def only_caption(words: Words) -> list[Passage]:
    """The passages of a segment of which nothing can be found but its caption."""
    return [caption_passage(words)]


def _by_language(said: Mapping[str, Said]) -> list[Said]:
    """What is said in each language, in the order of the languages' names."""
    return [said[language] for language in sorted(said)]
