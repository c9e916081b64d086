"""An object that several write: whoever loses tries again with pauses, and not for ever."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mmsearch_core import conditional_write
from mmsearch_core.adapters.object_memo import ObjectMemo
from mmsearch_core.catalog import inventory
from mmsearch_core.conditional_write import ATTEMPTS, until_written
from mmsearch_core.errors import Busy, PreconditionFailed
from mmsearch_core.records.ids import RecipeId
from mmsearch_core.testing.memory_store import MemoryStore
from tests.contracts.test_memo import said

REPORT = inventory.Report(manifest="m", created=1, file_format="CSV", columns=(), files=())


class NeverHolds(MemoryStore):
    """No ETag that it gives out is ever right, as behind a proxy that rewrites them."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        return super().get(key)

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        if if_match is not None:
            self.attempts += 1
            raise PreconditionFailed("Another ETag.")
        return super().put(key, data, if_none_match=if_none_match)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional_write, "LONGEST_PAUSE", 0.001)


def test_an_attempt_that_loses_is_tried_again() -> None:
    lost = iter([True, True, False])

    def attempt() -> str:
        if next(lost):
            raise PreconditionFailed("Another was first.")
        return "written"

    assert until_written(attempt, key="k") == "written"


def test_judgements_of_a_query_end_where_no_condition_ever_holds() -> None:
    """Exit 75, and the GPU's slot is free."""
    store = NeverHolds()
    memo = ObjectMemo(store)
    memo.add_judgements(RecipeId("r"), "q", [said("a", 0.5)])
    with pytest.raises(Busy, match=r"memo/r/q\.parquet could not be written"):
        memo.add_judgements(RecipeId("r"), "q", [said("b", 0.5)])
    assert store.attempts == ATTEMPTS


def test_the_newest_report_ends_where_no_condition_ever_holds() -> None:
    store = NeverHolds()
    inventory.remember(store, REPORT)
    with pytest.raises(Busy, match=r"inventory/last\.json"):
        inventory.remember(
            store,
            inventory.Report(manifest="n", created=2, file_format="CSV", columns=(), files=()),
        )
    assert store.attempts == ATTEMPTS


def test_writers_at_once_all_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight of them, for one query."""
    monkeypatch.setattr(conditional_write, "LONGEST_PAUSE", 0.5)
    memo = ObjectMemo(MemoryStore())
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda n: memo.add_judgements(RecipeId("r"), "q", [said(str(n), 0.5)]), range(8)
            )
        )
    assert {judgement.pair_id for judgement in memo.judgements(RecipeId("r"), "q")} == set(
        "01234567"
    )
