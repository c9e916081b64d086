"""describe: Qwen3-VL says what is seen in a segment."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from more_itertools import constrained_batches

from mmsearch_core.ahead import ahead
from mmsearch_core.answers import described_to_bytes, to_description
from mmsearch_core.errors import BadRecord
from mmsearch_core.layout import frames_key
from mmsearch_core.media import Kinds, Media
from mmsearch_core.parquet import load as load_records
from mmsearch_core.ports.models import VisionLanguageModel
from mmsearch_core.ports.stores import Memo, ObjectStore
from mmsearch_core.prompts import Prompt, load
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import PixelsId, SegmentId
from mmsearch_core.records.question import Answer, Frame, Question
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.segment import Segment
from mmsearch_core.records.vocabulary import Vocabulary
from mmsearch_core.shards import canary
from mmsearch_core.shards.memoised import memoised
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.stages.index.embed_image import READERS, pictures, read_decoded

# that are shown to the model in one call; a shot of 30 seconds alone is 60
MOST_FRAMES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What decides the questions beside their prompts: the shop's words, and the most pixels that
    the model is shown of a page without a text layer, to read it."""

    vocabulary: Vocabulary
    page_pixels: int


def recipes(kinds: Kinds, model: str, asking: Asking) -> dict[str, Recipe]:
    """What decides a description, by kind of asset. Of the vocabulary it is the values that are
    weighed, and not the words that shoppers type for them."""
    return {kind: _recipe(media, model, asking) for kind, media in kinds.items()}


def _recipe(media: Media, model: str, asking: Asking) -> Recipe:
    settings: dict[str, str] = {}
    if media.prompt_without_text:
        settings["page_pixels"] = str(asking.page_pixels)
    if values := weighed(load(media.prompt), asking.vocabulary):
        settings["values"] = json.dumps(values, ensure_ascii=False)
    return Recipe(
        stage="describe",
        version=media.describe_version,
        model=model,
        prompt=" ".join(load(name).digest for name in media.prompts),
        settings=settings,
    )


def stage(
    *,
    work: ObjectStore,
    memo: Memo,
    model: VisionLanguageModel,
    kinds: Kinds,
    asking: Asking,
    batch: int,
) -> Stage[Segment]:
    """Describe each distinct picture once; equal pixels share their description."""

    def read(key: str, answer: bytes) -> Description:  # noqa: ARG001 of the protocol
        return to_description(answer, SegmentId(""))

    def work_on(segments: Sequence[Segment], run: ShardRun) -> list[Outcome]:
        media = kinds[run.holds]
        first: dict[str, Segment] = {}
        for segment in segments:
            first.setdefault(segment.pixels, segment)

        def question_of(name: str, frames: tuple[Frame, ...]) -> Question:
            prompt = load(media.prompt_of(first[name]))
            asked = question(prompt, frames, asking.vocabulary)
            is_read = prompt.name == media.prompt_without_text
            return replace(asked, most_pixels=asking.page_pixels) if is_read else asked

        def ask(pixels: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
            shown = films(work, pixels) if media.moving else stills(work, pixels)
            answers: list[Answer | BadRecord] = []
            for few in constrained_batches(
                map(question_of, pixels, shown),
                MOST_FRAMES,
                get_len=lambda asked: len(asked.frames),
                strict=False,
            ):
                answers += model.answer(few)
            return {name: _as_bytes(answer) for name, answer in zip(pixels, answers, strict=True)}

        pixels_of_each = [segment.pixels for segment in segments]
        said = memoised(memo, run.recipe, pixels_of_each, ask, read, run.tally)
        return [_outcome(said[segment.pixels], segment) for segment in segments]

    return Stage(
        name="describe",
        recipes=recipes(kinds, model.name, asking),
        reads={"segments": "decode"},
        writes={"descriptions": Description},
        items=lambda shard, _: shard.read("segments", Segment),
        id_of=lambda segment: segment.segment_id,
        work=work_on,
        batch=batch,
        canary=lambda: canary.of_asking(
            model,
            question(load("describe"), (Frame(jpeg=canary.picture()),), asking.vocabulary),
            partial(to_description, segment=SegmentId("")),
        ),
    )


def stills(work: ObjectStore, pixels: Sequence[str]) -> Iterator[tuple[Frame, ...]]:
    """What is shown of each picture: the picture."""
    for picture in pictures(work, pixels):
        yield (Frame(jpeg=picture),)


def films(work: ObjectStore, pixels: Sequence[str]) -> Iterator[tuple[Frame, ...]]:
    """What is shown of each span of a video: its frames. They are read from the store while earlier
    ones are used."""
    return ahead(
        lambda name: _frames(work, PixelsId(name)), pixels, workers=READERS, window=2 * READERS
    )


def _frames(work: ObjectStore, pixels: PixelsId) -> tuple[Frame, ...]:
    return tuple(load_records(read_decoded(work, frames_key(pixels)), Frame))


def question(prompt: Prompt, frames: tuple[Frame, ...], vocabulary: Vocabulary) -> Question:
    """What Qwen3-VL is asked about what is shown of a segment."""
    return Question(
        system=prompt.system,
        text=prompt.text(),
        frames=frames,
        schema=prompt.answer,
        weighed=weighed(prompt, vocabulary),
        most_tokens=prompt.most_tokens,
    )


def weighed(prompt: Prompt, vocabulary: Vocabulary) -> dict[str, tuple[str, ...]]:
    """The values of the closed attributes for which the prompt asks, by their names."""
    asked = (prompt.answer or {}).get("properties", {}).get("attributes", {}).get("properties", {})
    return {name: values for name, values in vocabulary.closed().items() if name in asked}


def _as_bytes(answer: Answer | BadRecord) -> bytes | BadRecord:
    return answer if isinstance(answer, BadRecord) else described_to_bytes(answer)


def _outcome(said: Description | BadRecord, segment: Segment) -> Outcome:
    return said if isinstance(said, BadRecord) else [replace(said, segment_id=segment.segment_id)]
