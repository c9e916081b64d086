"""standardize: a popular query becomes canonical wording, keywords in every language, and hard
constraints."""

from collections.abc import Mapping, Sequence
from functools import partial

from mmsearch_core.answers import text_to_bytes, to_standard_query
from mmsearch_core.errors import BadRecord
from mmsearch_core.ports.models import VisionLanguageModel
from mmsearch_core.ports.stores import Memo
from mmsearch_core.prompts import load
from mmsearch_core.records.plan import QUERY
from mmsearch_core.records.query import PopularQuery, StandardQuery
from mmsearch_core.records.question import Answer, Question
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.shards import canary
from mmsearch_core.shards.memoised import memoised
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage


def recipe(model: str) -> Recipe:
    """What decides a standard query."""
    return Recipe(
        stage="standardize", version=1, model=model, prompt=load("standardize").digest, settings={}
    )


def stage(*, memo: Memo, model: VisionLanguageModel, batch: int) -> Stage[PopularQuery]:
    """Standardize each query once, ever."""

    def work_on(queries: Sequence[PopularQuery], run: ShardRun) -> list[Outcome]:
        by_key = {str(query.query_key): query for query in queries}

        def ask(keys: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
            answers = model.answer([question(by_key[key].text) for key in keys])
            return {key: _as_bytes(answer) for key, answer in zip(keys, answers, strict=True)}

        def read(key: str, answer: bytes) -> StandardQuery:
            return to_standard_query(answer, by_key[key])

        said = memoised(memo, run.recipe, list(by_key), ask, read, run.tally)
        return [_outcome(said[query.query_key]) for query in queries]

    return Stage(
        name="standardize",
        recipes={QUERY: recipe(model.name)},
        reads={"popular": "plan"},
        writes={"standard": StandardQuery},
        items=lambda shard, _: shard.read("popular", PopularQuery),
        id_of=lambda query: query.query_key,
        work=work_on,
        batch=batch,
        canary=lambda: canary.of_asking(
            model, question(canary.TEXT), partial(to_standard_query, query=canary.QUERY)
        ),
    )


def question(text: str) -> Question:
    """What Qwen3-VL is asked about what a shopper typed."""
    prompt = load("standardize")
    return Question(system=prompt.system, text=prompt.text(query=text), schema=prompt.answer)


def _as_bytes(answer: Answer | BadRecord) -> bytes | BadRecord:
    return answer if isinstance(answer, BadRecord) else text_to_bytes(answer.text)


def _outcome(said: StandardQuery | BadRecord) -> Outcome:
    return said if isinstance(said, BadRecord) else [said]
