"""standardize: a popular query becomes canonical wording, keywords in every language, and hard constraints."""

from collections.abc import Mapping, Sequence

from mmsearch_core.answers import to_standard_query
from mmsearch_core.errors import BadRecord
from mmsearch_core.ports import Memo, VisionLanguageModel
from mmsearch_core.prompts import load
from mmsearch_core.records.query import PopularQuery, StandardQuery
from mmsearch_core.records.question import Question
from mmsearch_core.records.run import Recipe
from mmsearch_core.shards import Outcome, Stage, Tally
from mmsearch_core.stages.memoised import memoised


def recipe(model: str) -> Recipe:
    """What decides a standard query."""
    return Recipe(stage="standardize", version=1, model=model, prompt=load("standardize").digest, settings={})


def stage(*, memo: Memo, model: VisionLanguageModel, batch: int) -> Stage[PopularQuery]:
    """Standardize each query once, ever."""
    how, prompt = recipe(model.name), load("standardize")

    def run(queries: Sequence[PopularQuery], tally: Tally) -> list[Outcome]:
        by_key = {str(query.query_key): query for query in queries}

        def ask(keys: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
            questions = [
                Question(system=prompt.system, text=prompt.text(query=by_key[key].text), schema=prompt.answer)
                for key in keys
            ]
            return {key: _checked(said, by_key[key]) for key, said in zip(keys, model.answer(questions), strict=True)}

        said = memoised(memo, how.recipe_id, list(by_key), ask, tally)
        return [_outcome(said[query.query_key], query) for query in queries]

    return Stage(
        recipe=how,
        reads={"popular": "plan"},
        writes={"standard": StandardQuery},
        items=lambda shard: shard.read("popular", PopularQuery),
        id_of=lambda query: query.query_key,
        work=run,
        batch=batch,
    )


def _checked(said: str | BadRecord, query: PopularQuery) -> bytes | BadRecord:
    if isinstance(said, BadRecord):
        return said
    try:
        to_standard_query(said, query)  # only an answer that fits is remembered
    except BadRecord as error:
        return error
    return said.encode()


def _outcome(said: bytes | BadRecord, query: PopularQuery) -> Outcome:
    return said if isinstance(said, BadRecord) else [to_standard_query(said, query)]
