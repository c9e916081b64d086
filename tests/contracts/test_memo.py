"""What every memo promises, held against MemoryMemo, ObjectMemo in memory, and ObjectMemo on SeaweedFS."""

import time

import pytest

from mmsearch_core.adapters.object_memo import ObjectMemo
from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.ports import Memo
from mmsearch_core.records.ids import PairId, ProductId, QueryKey, RecipeId, SegmentId
from mmsearch_core.records.ranking import Judgement
from mmsearch_core.testing.memory_memo import MemoryMemo
from mmsearch_core.testing.memory_store import MemoryStore

R1, R2 = RecipeId("r1"), RecipeId("r2")


@pytest.fixture(params=["memory", "objects", pytest.param("s3", marks=pytest.mark.integration)])
def memo(request: pytest.FixtureRequest) -> Memo:
    """A memo of each kind."""
    if request.param == "memory":
        return MemoryMemo()
    if request.param == "objects":
        return ObjectMemo(MemoryStore())
    bucket = S3Store(bucket=f"memo-{time.time_ns()}", settings=request.getfixturevalue("servers").settings.store)
    bucket.create()
    return ObjectMemo(bucket)


def said(pair: str, relevance: float) -> Judgement:
    return Judgement(
        pair_id=PairId(pair),
        query_key=QueryKey("q"),
        product_id=ProductId("p"),
        segment_id=SegmentId("s"),
        relevance=relevance,
        verdict="相关" if relevance >= 0.5 else "不相关",
        reason="color is red",
        judge="test",
    )


def test_the_first_answer_stays(memo: Memo) -> None:
    """Whoever comes second is given what stands."""
    assert memo.put_many(R1, {"a": b"1", "b": b"2"}) == {"a": b"1", "b": b"2"}
    assert memo.put_many(R1, {"a": b"other", "c": b"3"}) == {"a": b"1", "c": b"3"}
    assert memo.get_many(R1, ["a", "b", "c", "d"]) == {"a": b"1", "b": b"2", "c": b"3"}


def test_recipes_do_not_share_answers(memo: Memo) -> None:
    """Another prompt, another answer."""
    memo.put_many(R1, {"a": b"1"})
    assert memo.get_many(R2, ["a"]) == {}


def test_judgements_of_a_query_are_folded_and_the_first_stays(memo: Memo) -> None:
    """One object a query, however many shards and nights wrote to it."""
    assert memo.judgements(R1, "q") == []
    memo.add_judgements(R1, "q", [said("x", 0.9)])
    memo.add_judgements(R1, "q", [said("x", 0.1), said("y", 0.2)])
    assert {judgement.pair_id: judgement.relevance for judgement in memo.judgements(R1, "q")} == {"x": 0.9, "y": 0.2}
    assert memo.judgements(R2, "q") == []


def test_what_is_forgotten_can_be_said_anew(memo: Memo) -> None:
    """Under its recipe only; to forget what nobody said is no error."""
    memo.put_many(R1, {"a": b"1", "b": b"2"})
    memo.put_many(R2, {"a": b"3"})
    memo.forget(R1, ["a", "unknown"])
    assert memo.get_many(R1, ["a", "b"]) == {"b": b"2"}
    assert memo.get_many(R2, ["a"]) == {"a": b"3"}
    assert memo.put_many(R1, {"a": b"4"}) == {"a": b"4"}
