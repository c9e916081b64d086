"""A memo in memory."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mmsearch_core.records.ids import PairId, RecipeId
from mmsearch_core.records.ranking import PairScore


class MemoryMemo:
    """The first answer written stays."""

    def __init__(self) -> None:
        self._answers: dict[tuple[RecipeId, str], bytes] = {}
        self._judgements: dict[tuple[RecipeId, str], dict[PairId, PairScore]] = defaultdict(dict)

    def get_many(self, recipe: RecipeId, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self._answers[recipe, key] for key in keys if (recipe, key) in self._answers}

    def put_many(self, recipe: RecipeId, answers: Mapping[str, bytes]) -> dict[str, bytes]:
        return {
            key: self._answers.setdefault((recipe, key), answer) for key, answer in answers.items()
        }

    def forget(self, recipe: RecipeId, keys: Sequence[str]) -> None:
        for key in keys:
            self._answers.pop((recipe, key), None)

    def judgements(self, recipe: RecipeId, query: str) -> list[PairScore]:
        return list(self._judgements[recipe, query].values())

    def add_judgements(self, recipe: RecipeId, query: str, judgements: Sequence[PairScore]) -> None:
        for said in judgements:
            self._judgements[recipe, query].setdefault(said.pair_id, said)
