"""The list of a query: which of its candidates are shown, and in which order."""

from collections.abc import Mapping, Sequence

from mmsearch_core.records.ids import ProductId
from mmsearch_core.records.ranking import Candidate, Hit, Judgement
from mmsearch_core.settings import Search

DIGITS = 2  # of a relevance: what more of them say of two that are near 1 is chance


def decide(
    candidates: Sequence[Candidate], judgements: Mapping[ProductId, Judgement], settings: Search
) -> list[Hit]:
    """相关 by relevance to two digits, equals in fused order, then unjudged in fused order. 不相关
    is dropped, but for lists below ``min_hits``: these are topped up in fused order with hits that
    nobody vouches for (verdict None)."""
    ranked = sorted(candidates, key=lambda found: (-found.fused, found.product_id))
    good: list[Candidate] = []
    unjudged: list[Candidate] = []
    bad: list[Candidate] = []
    for found in ranked:
        judgement = judgements.get(found.product_id)
        if judgement is None:
            unjudged.append(found)
        elif judgement.verdict == "相关":
            good.append(found)
        else:
            bad.append(found)
    good.sort(key=lambda found: -round(judgements[found.product_id].relevance, DIGITS))
    spare = max(0, settings.min_hits - len(good) - len(unjudged))
    hits = [_hit(found, judgements[found.product_id]) for found in good]
    hits += [_hit(found, None) for found in (*unjudged, *bad[:spare])]
    return hits[: settings.hits]


def _hit(candidate: Candidate, judgement: Judgement | None) -> Hit:
    return Hit(
        product_id=candidate.product_id,
        relevance=round(judgement.relevance, DIGITS) if judgement else None,
        fused=candidate.fused,
        verdict=judgement.verdict if judgement else None,
        evidence=candidate.evidence(judgement.reason if judgement else ""),
    )
