"""describe: Qwen3-VL says what is seen in a segment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from mmsearch_core.answers import to_description
from mmsearch_core.errors import BadRecord
from mmsearch_core.media import Kinds, Media
from mmsearch_core.ports.models import VisionLanguageModel
from mmsearch_core.ports.stores import Memo, ObjectStore
from mmsearch_core.prompts import Prompt, load
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import SegmentId
from mmsearch_core.records.question import Frame, Question
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.segment import Segment
from mmsearch_core.shards import canary
from mmsearch_core.shards.memoised import as_bytes, memoised
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.stages.index.embed_image import pictures


def recipes(kinds: Kinds, model: str) -> dict[str, Recipe]:
    """What decides a description, by kind of asset."""
    return {kind: _recipe(media, model) for kind, media in kinds.items()}


def _recipe(media: Media, model: str) -> Recipe:
    return Recipe(
        stage="describe",
        version=media.describe_version,
        model=model,
        prompt=load(media.prompt).digest,
        settings={},
    )


def stage(
    *, work: ObjectStore, memo: Memo, model: VisionLanguageModel, kinds: Kinds, batch: int
) -> Stage[Segment]:
    """Describe each distinct picture once; equal pixels share their description."""

    def read(key: str, answer: bytes) -> Description:  # noqa: ARG001 of the protocol
        return to_description(answer, SegmentId(""))

    def work_on(segments: Sequence[Segment], run: ShardRun) -> list[Outcome]:
        prompt = load(kinds[run.holds].prompt)

        def ask(pixels: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
            asked = [question(prompt, picture) for picture in pictures(work, pixels)]
            answers = model.answer(asked)
            return {name: as_bytes(answer) for name, answer in zip(pixels, answers, strict=True)}

        pixels_of_each = [segment.pixels for segment in segments]
        said = memoised(memo, run.recipe, pixels_of_each, ask, read, run.tally)
        return [_outcome(said[segment.pixels], segment) for segment in segments]

    return Stage(
        name="describe",
        recipes=recipes(kinds, model.name),
        reads={"segments": "decode"},
        writes={"descriptions": Description},
        items=lambda shard, _: shard.read("segments", Segment),
        id_of=lambda segment: segment.segment_id,
        work=work_on,
        batch=batch,
        canary=lambda: canary.of_asking(
            model,
            question(load("describe"), canary.picture()),
            partial(to_description, segment=SegmentId("")),
        ),
    )


def question(prompt: Prompt, picture: bytes) -> Question:
    """What Qwen3-VL is asked about a normalised picture."""
    return Question(
        system=prompt.system,
        text=prompt.text(),
        frames=(Frame(jpeg=picture),),
        schema=prompt.answer,
    )


def _outcome(said: Description | BadRecord, segment: Segment) -> Outcome:
    return said if isinstance(said, BadRecord) else [replace(said, segment_id=segment.segment_id)]
