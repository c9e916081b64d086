"""The memo in the work bucket: one small object an answer, one Parquet object a query's
judgements."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from mmsearch_core.conditional_write import until_written
from mmsearch_core.errors import PreconditionFailed
from mmsearch_core.layout import answer_key, scores_key
from mmsearch_core.parquet import dump, load
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import RecipeId
from mmsearch_core.records.ranking import PairScore

THREADS = 16


class ObjectMemo:
    """Put-if-absent for answers, compare-and-swap for judgements."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def get_many(self, recipe: RecipeId, keys: Sequence[str]) -> dict[str, bytes]:
        with ThreadPoolExecutor(THREADS) as threads:
            found = threads.map(lambda key: self._store.get(answer_key(recipe, key)), keys)
            return {key: data for key, data in zip(keys, found, strict=True) if data is not None}

    def put_many(self, recipe: RecipeId, answers: Mapping[str, bytes]) -> dict[str, bytes]:
        with ThreadPoolExecutor(THREADS) as threads:
            stands = threads.map(
                lambda key: self._put(answer_key(recipe, key), answers[key]), answers
            )
            return dict(zip(answers, stands, strict=True))

    def forget(self, recipe: RecipeId, keys: Sequence[str]) -> None:
        self._store.delete_many([answer_key(recipe, key) for key in keys])

    def judgements(self, recipe: RecipeId, query: str) -> list[PairScore]:
        data = self._store.get(scores_key(recipe, query))
        return load(data, PairScore) if data else []

    def add_judgements(self, recipe: RecipeId, query: str, judgements: Sequence[PairScore]) -> None:
        key = scores_key(recipe, query)

        def merge() -> None:
            there = self._store.head(key)
            data = self._store.get(key, if_match=there.etag) if there else None
            merged = {said.pair_id: said for said in judgements}
            merged |= {said.pair_id: said for said in (load(data, PairScore) if data else [])}
            body = dump([merged[pair] for pair in sorted(merged)], PairScore)
            self._store.put(
                key, body, if_match=there.etag if there else None, if_none_match=there is None
            )

        until_written(merge, key=key)

    def _put(self, key: str, answer: bytes) -> bytes:
        try:
            self._store.put(key, answer, if_none_match=True)
        except PreconditionFailed:
            return self._store.get(key) or answer
        return answer
