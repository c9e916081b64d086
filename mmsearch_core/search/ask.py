"""What is asked (words, a picture, or a picture and words: "this, but blue") as the line
understands it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from more_itertools import chunked

from mmsearch_core.errors import BadRecord
from mmsearch_core.layout import pixels_key
from mmsearch_core.media.picture import PICTURE
from mmsearch_core.ports.media import Decoder
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import AssetId, PixelsId, ProductId, QueryKey, RecipeId, SegmentId
from mmsearch_core.records.plan import QUERY
from mmsearch_core.records.query import Constraint, PopularQuery, StandardQuery, query_key
from mmsearch_core.records.segment import Segment, Whole, pixels_id
from mmsearch_core.records.target import Target
from mmsearch_core.search.legs import Legs
from mmsearch_core.settings import Search
from mmsearch_core.shards.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query before anybody looked at it; ``picture`` is a file's bytes."""

    query_id: str
    locale: str
    text: str = ""
    picture: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The parts of the search line, over one target; ``stage`` gives its stages by name."""

    stores: Stores
    target: Target
    decoder: Decoder
    legs: Legs
    stage: Callable[[str], Stage[Any]]
    settings: Search


def standardized(asked: Sequence[Asked], line: Line) -> dict[str, StandardQuery]:
    """Each query as the line standardizes it, by query id; what the models cannot answer is left
    out."""
    typed = {query.query_id: _popular(query) for query in asked if query.text}
    said = dict(
        zip(typed, answers(line.stage("standardize"), QUERY, list(typed.values())), strict=True)
    )
    seen = described({query.query_id: query.picture for query in asked if query.picture}, line)
    found: dict[str, StandardQuery] = {}
    for query in asked:
        words, picture = said.get(query.query_id), seen.get(query.query_id)
        if query.picture and picture and (words or not query.text):
            found[query.query_id] = with_picture(
                QueryKey(f"asked:{query.query_id}"), picture, words
            )
        elif words and not query.picture:
            found[query.query_id] = words
    return found


def described(pictures: Mapping[str, bytes], line: Line) -> dict[str, Description]:
    """What Qwen3-VL sees in the pictures of queries; pixels and answers lie where those of the
    catalog lie."""
    opened = line.decoder.decode([("picture", data) for data in pictures.values()])
    segments = []
    for (query_id, data), answer in zip(pictures.items(), opened, strict=True):
        if isinstance(answer, BadRecord):
            continue
        pixels = pixels_of(data, line.target.recipes[PICTURE.name]["decode"])
        line.stores.work.put(pixels_key(pixels), answer[0].jpeg)
        segments.append(
            Segment(
                segment_id=SegmentId(query_id),
                asset_id=AssetId(""),
                product_id=ProductId(""),
                where=Whole(),
                pixels=pixels,
            )
        )
    said_each = answers(line.stage("describe"), PICTURE.name, segments)
    return {
        segment.segment_id: said for segment, said in zip(segments, said_each, strict=True) if said
    }


def pixels_of(data: bytes, decode: RecipeId) -> PixelsId:
    """The name of a whole picture's pixels."""
    return pixels_id(source_sha256=sha256(data).hexdigest(), where=Whole(), decode_recipe=decode)


def normalised(asked: Iterable[Asked], line: Line) -> list[bytes | None]:
    """The pixels of each query's picture, once it is described."""
    decode = line.target.recipes[PICTURE.name]["decode"]
    return [
        query.picture and line.stores.work.get(pixels_key(pixels_of(query.picture, decode)))
        for query in asked
    ]


def with_picture(
    key: QueryKey, seen: Description, added: StandardQuery | None = None
) -> StandardQuery:
    """What the picture shows, attribute by attribute; where the words say otherwise, the words win.

    Keywords of the picture are kept in the languages in which it is known which of them the words
    replace: English, in which attributes are named.
    """
    said = {constraint.attribute: constraint for constraint in added.constraints} if added else {}
    shown: dict[str, Constraint] = {}
    for name, value in seen.attributes.items():
        likely = seen.likelihoods.get(name, {})
        shown[name] = Constraint(attribute=name, values=(value,), likelihoods=likely)
    wording = {
        language: _changed(text, seen, said)
        for language, text in seen.caption.items()
        if _known(language, said)
    }
    keywords: dict[str, tuple[str, ...]] = {}
    for language, words in seen.keywords.items():
        if _known(language, said):
            changed = [_changed(text, seen, said) for text in words]
            keywords[language] = tuple(word for word in changed if word)
    for language, words in added.keywords.items() if added else ():
        keywords[language] = (
            *words,
            *(word for word in keywords.get(language, ()) if word not in words),
        )
    return StandardQuery(
        query_key=key,
        text=added.text if added else "",
        locale=added.locale if added else "en",
        wording={**(added.wording if added else {}), **wording},
        keywords=keywords,
        constraints=tuple((shown | said).values()),
    )


def answers(stage: Stage[Any], holds: str, items: Sequence[Any]) -> list[Any]:
    """One record an item of a stage, None for what it failed at.

    :param holds: what the items are made of: a kind of asset, or queries.
    """
    run = stage.new_run(holds)
    found: list[Any] = []
    for batch in chunked(items, stage.batch):
        outcomes = stage.work(batch, run)
        found += [None if isinstance(outcome, BadRecord) else outcome[0] for outcome in outcomes]
    stage.finish()
    return found


def _popular(query: Asked) -> PopularQuery:
    return PopularQuery(
        query_key=query_key(query.text, query.locale),
        text=query.text,
        locale=query.locale,
        weight=1.0,
    )


def _known(language: str, said: dict[str, Constraint]) -> bool:
    return language == "en" or not said


def _changed(text: str, seen: Description, said: dict[str, Constraint]) -> str:
    """``text`` of the picture with the values that the words replace: "red dress" and "blue" give
    "blue dress"."""
    words = text.split()
    for name, constraint in said.items():
        old, new = (
            seen.attributes.get(name, ""),
            "" if constraint.exclude else " or ".join(constraint.values),
        )
        if old in words:
            words = [new if word == old else word for word in words]
        elif (
            new and old and len(words) > 1
        ):  # what goes without saying, like a plain pattern, stands in front
            words = [new, *words]
    return " ".join(word for word in words if word)
