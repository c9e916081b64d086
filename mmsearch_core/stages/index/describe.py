"""describe: Qwen3-VL says what is seen in a segment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from mmsearch_core.answers import to_description
from mmsearch_core.errors import BadRecord
from mmsearch_core.ports.models import VisionLanguageModel
from mmsearch_core.ports.stores import Memo, ObjectStore
from mmsearch_core.prompts import load
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import SegmentId
from mmsearch_core.records.question import Question
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.segment import Segment
from mmsearch_core.shards import canary
from mmsearch_core.shards.memoised import as_bytes, memoised
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.stages.index.embed_image import pictures


def recipe(model: str) -> Recipe:
    """What decides a description."""
    return Recipe(
        stage="describe", version=1, model=model, prompt=load("describe").digest, settings={}
    )


def stage(
    *, work: ObjectStore, memo: Memo, model: VisionLanguageModel, batch: int
) -> Stage[Segment]:
    """Describe each distinct picture once; equal pixels share their description."""
    how = recipe(model.name)

    def ask(pixels: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
        answers = model.answer([question(picture) for picture in pictures(work, pixels)])
        return {name: as_bytes(answer) for name, answer in zip(pixels, answers, strict=True)}

    def read(key: str, answer: bytes) -> Description:  # noqa: ARG001 of the protocol
        return to_description(answer, SegmentId(""))

    def work_on(segments: Sequence[Segment], run: ShardRun) -> list[Outcome]:
        said = memoised(
            memo, how.recipe_id, [segment.pixels for segment in segments], ask, read, run.tally
        )
        return [_outcome(said[segment.pixels], segment) for segment in segments]

    return Stage(
        recipe=how,
        reads={"segments": "decode"},
        writes={"descriptions": Description},
        items=lambda shard, _: shard.read("segments", Segment),
        id_of=lambda segment: segment.segment_id,
        work=work_on,
        batch=batch,
        canary=lambda: canary.of_asking(
            model, question(canary.picture()), partial(to_description, segment=SegmentId(""))
        ),
    )


def question(picture: bytes) -> Question:
    """What Qwen3-VL is asked about a normalised picture."""
    prompt = load("describe")
    return Question(system=prompt.system, text=prompt.text(), picture=picture, schema=prompt.answer)


def _outcome(said: Description | BadRecord, segment: Segment) -> Outcome:
    return said if isinstance(said, BadRecord) else [replace(said, segment_id=segment.segment_id)]
