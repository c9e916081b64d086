"""A memo for work that is done anew: it knows nothing, and what is said now replaces what was said
before."""

from collections.abc import Mapping, Sequence

from mmsearch_core.ports.stores import Memo
from mmsearch_core.records.ids import RecipeId
from mmsearch_core.records.ranking import PairScore


class RedoneMemo:
    """Memo that answers nothing and replaces what another memo holds."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo

    def get_many(self, recipe: RecipeId, keys: Sequence[str]) -> dict[str, bytes]:  # noqa: ARG002 of the protocol
        return {}

    def put_many(self, recipe: RecipeId, answers: Mapping[str, bytes]) -> dict[str, bytes]:
        self._memo.forget(recipe, list(answers))
        return self._memo.put_many(recipe, answers)

    def forget(self, recipe: RecipeId, keys: Sequence[str]) -> None:
        self._memo.forget(recipe, keys)

    def judgements(self, recipe: RecipeId, query: str) -> list[PairScore]:
        return self._memo.judgements(recipe, query)

    def add_judgements(self, recipe: RecipeId, query: str, judgements: Sequence[PairScore]) -> None:
        self._memo.add_judgements(recipe, query, judgements)
