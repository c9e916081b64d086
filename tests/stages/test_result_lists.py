"""The list that is decided from candidates and judgements."""

from mmsearch_core.records.ids import (
    AssetId,
    PairId,
    PassageId,
    PixelsId,
    ProductId,
    QueryKey,
    SegmentId,
)
from mmsearch_core.records.ranking import Candidate, Judgement
from mmsearch_core.records.segment import Whole
from mmsearch_core.search.decide import decide
from mmsearch_core.settings import Search


def candidate(product: str, fused: float) -> Candidate:
    return Candidate(
        query_key=QueryKey("k"),
        product_id=ProductId(product),
        asset_id=AssetId(product),
        segment_id=SegmentId(product),
        passage_id=PassageId(product),
        key=f"{product}.jpg",
        where=Whole(),
        pixels=PixelsId(product),
        text="",
        ranks={"clip": 1},
        fused=fused,
    )


def judged(product: str, relevance: float) -> tuple[ProductId, Judgement]:
    judgement = Judgement(
        pair_id=PairId(product),
        query_key=QueryKey("k"),
        product_id=ProductId(product),
        segment_id=SegmentId(product),
        relevance=relevance,
        verdict="相关" if relevance >= 0.5 else "不相关",
        reason="",
        judge="test",
    )
    return ProductId(product), judgement


CANDIDATES = [candidate(product, 1 / place) for place, product in enumerate("ABCDE", start=1)]


def test_relevant_hits_come_first_by_relevance_then_unjudged_and_irrelevant_are_dropped() -> None:
    """D was judged best, B relevant, A and E were not judged, C is 不相关."""
    judgements = dict([judged("D", 0.9), judged("B", 0.6), judged("C", 0.1)])
    hits = decide(CANDIDATES, judgements, Search())
    assert [(hit.product_id, hit.verdict) for hit in hits] == [
        ("D", "相关"),
        ("B", "相关"),
        ("A", None),
        ("E", None),
    ]


def test_what_is_equally_relevant_stays_in_fused_order() -> None:
    judgements = dict([judged("A", 0.9), judged("B", 0.8), judged("C", 0.9), judged("D", 0.8)])
    hits = decide(CANDIDATES[:4], judgements, Search())
    assert [(hit.product_id, hit.relevance) for hit in hits] == [
        ("A", 0.9),
        ("C", 0.9),
        ("B", 0.8),
        ("D", 0.8),
    ]


def test_a_list_stays_short_rather_than_show_what_does_not_fit() -> None:
    judgements = dict([judged("D", 0.9), *(judged(product, 0.1) for product in "ABCE")])
    hits = decide(CANDIDATES, judgements, Search())
    assert [(hit.product_id, hit.verdict) for hit in hits] == [("D", "相关")]


def test_lists_have_an_end() -> None:
    """At most ``hits`` products."""
    assert len(decide(CANDIDATES, {}, Search(hits=2))) == 2
