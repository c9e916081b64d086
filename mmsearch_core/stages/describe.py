"""describe: Qwen3-VL says what is seen in a segment."""

from collections.abc import Mapping, Sequence

from mmsearch_core.answers import to_description
from mmsearch_core.errors import BadRecord
from mmsearch_core.ports import Memo, ObjectStore, VisionLanguageModel
from mmsearch_core.prompts import load
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import SegmentId
from mmsearch_core.records.question import Question
from mmsearch_core.records.run import Recipe
from mmsearch_core.records.segment import Segment
from mmsearch_core.shards import Outcome, Stage, Tally
from mmsearch_core.stages.embed_image import pictures
from mmsearch_core.stages.memoised import memoised


def recipe(model: str) -> Recipe:
    """What decides a description."""
    return Recipe(stage="describe", version=1, model=model, prompt=load("describe").digest, settings={})


def stage(*, work: ObjectStore, memo: Memo, model: VisionLanguageModel, batch: int) -> Stage[Segment]:
    """Describe each distinct picture once; equal pixels share their description."""
    how, prompt = recipe(model.name), load("describe")

    def ask(pixels: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
        questions = [
            Question(system=prompt.system, text=prompt.text(), picture=picture, schema=prompt.answer)
            for picture in pictures(work, pixels)
        ]
        return {name: checked(answer) for name, answer in zip(pixels, model.answer(questions), strict=True)}

    def checked(answer: str | BadRecord) -> bytes | BadRecord:
        if isinstance(answer, BadRecord):
            return answer
        try:
            to_description(answer, SegmentId(""))  # only an answer that fits is remembered
        except BadRecord as error:
            return error
        return answer.encode()

    def run(segments: Sequence[Segment], tally: Tally) -> list[Outcome]:
        said = memoised(memo, how.recipe_id, [segment.pixels for segment in segments], ask, tally)
        return [_outcome(said[segment.pixels], segment) for segment in segments]

    return Stage(
        recipe=how,
        reads={"segments": "decode"},
        writes={"descriptions": Description},
        items=lambda shard: shard.read("segments", Segment),
        id_of=lambda segment: segment.segment_id,
        work=run,
        batch=batch,
    )


def _outcome(said: bytes | BadRecord, segment: Segment) -> Outcome:
    return said if isinstance(said, BadRecord) else [to_description(said, segment.segment_id)]
