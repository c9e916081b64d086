"""Only valid answers are remembered, and what is remembered and is not valid is asked for again."""

from collections import Counter

import numpy as np
import pytest

from mmsearch_core.errors import BadRecord, UnusableAnswer
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import RecipeId
from mmsearch_core.records.question import Question
from mmsearch_core.shards.memoised import memoised
from mmsearch_core.testing.fake_models import COLORS, FakeEmbedder, FakeVisionLanguageModel
from mmsearch_core.testing.memory_memo import MemoryMemo
from mmsearch_core.wiring.batches import Runtime
from tests.line import fake_runtime, feed, index, picture


def states(runtime: Runtime) -> list[str]:
    known = [asset for batch in runtime.ledger.known(runtime.target().target_id) for asset in batch]
    return sorted(asset.state for asset in known)


@pytest.fixture
def shop() -> Runtime:
    """Four pictures of four colors."""
    runtime = fake_runtime()
    feed(runtime, {f"p{number}": f"Lumen {number}" for number in range(4)})
    for number, color in enumerate(COLORS):
        runtime.catalog.put(f"pictures/p{number}/a.jpg", picture(color))
    return runtime


class Bad(FakeEmbedder):
    """Gives the first item of each call another vector."""

    def __init__(self, space: str, vector: Vector) -> None:
        super().__init__(space)
        self.vector = vector

    def embed(self, items: object) -> list[Vector | BadRecord]:
        vectors = super().embed(items)  # type: ignore[arg-type]
        return [self.vector, *vectors[1:]]


VECTORS = {
    "no numbers": np.full(FakeEmbedder.dimension, np.nan, dtype=np.float32),
    "infinite": np.full(FakeEmbedder.dimension, np.inf, dtype=np.float32),
    "zero": np.zeros(FakeEmbedder.dimension, dtype=np.float32),
    "another dimension": np.eye(3, dtype=np.float32)[0],
    "no vector": np.eye(FakeEmbedder.dimension, dtype=np.float32),
}


@pytest.mark.parametrize("space", ["clip", "sbert"])
@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_a_vector_that_is_none_costs_its_record_and_is_not_remembered(
    shop: Runtime, space: str, vector: Vector
) -> None:
    """One bad minute of a GPU; with a healthy model the picture is done anew when it is asked for
    again."""
    healthy = shop
    bad = Bad(space, vector)
    shop = healthy.having(clip=bad) if space == "clip" else healthy.having(sbert=bad)
    (report,) = index(shop)
    assert report.stages["embed_image" if space == "clip" else "embed_text"].failed == 1
    shop = healthy
    recipe = shop.index_recipes["picture"]["embed_image" if space == "clip" else "embed_text"]
    remembered = [answer for (name, _), answer in shop.memo._answers.items() if name == recipe]  # type: ignore[attr-defined]
    assert len(remembered) == 3
    shop.index.drop(shop.target().collection)  # everything is made again
    (report,) = index(shop, "run-2")
    assert states(shop) == ["live"] * 4
    assert sum(stage.failed for stage in report.stages.values()) == 0


def spoil(runtime: Runtime, stage: str) -> None:
    """Leave half of every answer of a stage in the memo."""
    answers = runtime.memo._answers  # type: ignore[attr-defined]
    for (recipe, key), answer in list(answers.items()):
        if recipe == runtime.index_recipes["picture"][stage]:
            answers[recipe, key] = answer[: len(answer) // 2]


@pytest.mark.parametrize("stage", ["describe", "embed_text", "embed_image"])
def test_a_damaged_answer_is_asked_for_again_and_replaced(shop: Runtime, stage: str) -> None:
    """It was raised or taken for an answer, night after night."""
    index(shop)
    spoil(shop, stage)
    shop.index.drop(shop.target().collection)
    (report,) = index(shop, "run-2")
    assert states(shop) == ["live"] * 4
    assert (report.stages[stage].tally["answers_replaced"], report.stages[stage].calls_made) == (
        4,
        4,
    )
    shop.index.drop(shop.target().collection)
    (report,) = index(shop, "run-3")
    assert report.model_calls.made == 0


def test_an_answer_that_does_not_parse_costs_its_record_and_is_not_remembered(
    shop: Runtime,
) -> None:
    class Mumbles(FakeVisionLanguageModel):
        def _describe(self, question: Question) -> str | BadRecord:
            return '{"attributes": {"color": "\ud800"}}'

    shop = shop.having(vlm=Mumbles())
    (report,) = index(shop)
    assert report.stages["describe"].failed == 4
    describe = shop.index_recipes["picture"]["describe"]
    assert not [key for key in shop.memo._answers if key[0] == describe]  # type: ignore[attr-defined]


def test_a_winner_that_is_damaged_does_not_replace_our_answer() -> None:
    """Another process remembered half an answer between our question and our answer."""
    memo, recipe, tally = MemoryMemo(), RecipeId("r"), Counter[str]()

    def ask(keys: object) -> dict[str, bytes | BadRecord]:
        memo.put_many(recipe, {"a": b"half", "b": b"whole of another"})
        return {"a": b"whole", "b": b"whole"}

    def read(key: str, answer: bytes) -> str:
        if not answer.startswith(b"whole"):
            raise UnusableAnswer(f"{key} is damaged.")
        return answer.decode()

    assert memoised(memo, recipe, ["a", "b"], ask, read, tally) == {
        "a": "whole",
        "b": "whole of another",
    }
