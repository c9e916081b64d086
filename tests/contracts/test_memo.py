"""What every memo promises, held against MemoryMemo, ObjectMemo in memory, and ObjectMemo on
SeaweedFS."""

import time

import pytest

from mmsearch_core.adapters.object_memo import ObjectMemo
from mmsearch_core.adapters.redone_memo import RedoneMemo
from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.parquet import dump
from mmsearch_core.ports.stores import Memo
from mmsearch_core.records.ids import PairId, ProductId, QueryKey, RecipeId, SegmentId
from mmsearch_core.records.ranking import Judgement, PairScore
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
    bucket = S3Store(
        bucket=f"memo-{time.time_ns()}", settings=request.getfixturevalue("servers").settings.store
    )
    bucket.create()
    return ObjectMemo(bucket)


def said(pair: str, relevance: float) -> PairScore:
    return PairScore(pair_id=PairId(pair), relevance=relevance, judged_id=f"judged {pair}")


def test_the_first_answer_stays(memo: Memo) -> None:
    """Whoever comes second is given what stands."""
    assert memo.put_many(R1, {"a": b"1", "b": b"2"}) == {"a": b"1", "b": b"2"}
    assert memo.put_many(R1, {"a": b"other", "c": b"3"}) == {"a": b"1", "c": b"3"}
    assert memo.get_many(R1, ["a", "b", "c", "d"]) == {"a": b"1", "b": b"2", "c": b"3"}


def test_recipes_do_not_share_answers(memo: Memo) -> None:
    """Another prompt, another answer."""
    memo.put_many(R1, {"a": b"1"})
    assert memo.get_many(R2, ["a"]) == {}


def test_a_score_comes_back_as_it_was_given(memo: Memo) -> None:
    today = PairScore(pair_id=PairId("y"), relevance=0.25)
    memo.add_judgements(R1, "q", [said("x", 0.9), today])
    found = sorted(memo.judgements(R1, "q"), key=lambda score: score.pair_id)
    assert found == [said("x", 0.9), today]


def test_what_an_older_version_remembered_is_known() -> None:
    """Its files hold whole judgements, of whichever product was judged first."""
    store = MemoryStore()
    judgement = Judgement(
        pair_id=PairId("x"),
        query_key=QueryKey("q"),
        product_id=ProductId("p"),
        segment_id=SegmentId("s"),
        relevance=0.75,
        verdict="相关",
        reason="color is red",
        judge="test",
    )
    store.put("memo/r1/q.parquet", dump([judgement], Judgement))
    memo = ObjectMemo(store)
    assert memo.judgements(R1, "q") == [PairScore(pair_id=PairId("x"), relevance=0.75)]
    memo.add_judgements(R1, "q", [said("x", 0.1), said("y", 0.2)])
    assert {score.pair_id: score.relevance for score in memo.judgements(R1, "q")} == {
        "x": 0.75,
        "y": 0.2,
    }


def test_answers_that_are_made_anew_take_the_place_of_the_old(memo: Memo) -> None:
    memo.put_many(R1, {"a": b"1", "b": b"1"})
    redone = RedoneMemo(memo)
    assert redone.get_many(R1, ["a", "b"]) == {}
    assert redone.put_many(R1, {"a": b"2"}) == {"a": b"2"}
    assert memo.get_many(R1, ["a", "b"]) == {"a": b"2", "b": b"1"}


def test_judgements_of_a_query_are_folded_and_the_first_stays(memo: Memo) -> None:
    """One object a query, however many shards and nights wrote to it."""
    assert memo.judgements(R1, "q") == []
    memo.add_judgements(R1, "q", [said("x", 0.9)])
    memo.add_judgements(R1, "q", [said("x", 0.1), said("y", 0.2)])
    assert {judgement.pair_id: judgement.relevance for judgement in memo.judgements(R1, "q")} == {
        "x": 0.9,
        "y": 0.2,
    }
    assert memo.judgements(R2, "q") == []


def test_what_is_forgotten_can_be_said_anew(memo: Memo) -> None:
    """Under its recipe only; to forget what nobody said is no error."""
    memo.put_many(R1, {"a": b"1", "b": b"2"})
    memo.put_many(R2, {"a": b"3"})
    memo.forget(R1, ["a", "unknown"])
    assert memo.get_many(R1, ["a", "b"]) == {"b": b"2"}
    assert memo.get_many(R2, ["a"]) == {"a": b"3"}
    assert memo.put_many(R1, {"a": b"4"}) == {"a": b"4"}
