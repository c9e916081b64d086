"""The list of a query: which of its candidates are shown, and in which order."""

from collections.abc import Mapping, Sequence

from mmsearch_core.records.ids import ProductId
from mmsearch_core.records.ranking import Candidate, Evidence, Hit, Judgement
from mmsearch_core.settings import Search

DIGITS = 2  # of a relevance: what more of them say of two that are near 1 is chance


def decide(
    candidates: Sequence[Candidate], judgements: Mapping[ProductId, Judgement], settings: Search
) -> list[Hit]:
    """相关 by relevance to two digits, equals in fused order, then unjudged in fused order. 不相关
    is dropped, but for lists below ``min_hits``: these are topped up in fused order with hits that
    nobody vouches for (verdict None)."""
    ranked = sorted(candidates, key=lambda found: (-found.fused, found.product_id))
    good = [
        found
        for found in ranked
        if (said := judgements.get(found.product_id)) and said.verdict == "相关"
    ]
    good.sort(key=lambda found: -round(judgements[found.product_id].relevance, DIGITS))
    unjudged = [found for found in ranked if found.product_id not in judgements]
    bad = [
        found
        for found in ranked
        if (said := judgements.get(found.product_id)) and said.verdict == "不相关"
    ]
    hits = [_hit(found, judgements[found.product_id]) for found in good] + [
        _hit(found, None) for found in unjudged
    ]
    spare = max(0, settings.min_hits - len(hits))
    return (hits + [_hit(found, None) for found in bad[:spare]])[: settings.hits]


def _hit(candidate: Candidate, judgement: Judgement | None) -> Hit:
    return Hit(
        product_id=candidate.product_id,
        relevance=round(judgement.relevance, DIGITS) if judgement else None,
        fused=candidate.fused,
        verdict=judgement.verdict if judgement else None,
        evidence=Evidence(
            asset_id=candidate.asset_id,
            key=candidate.key,
            where=candidate.where,
            text=candidate.text,
            reason=judgement.reason if judgement else "",
        ),
    )
