"""The list of a query: which of its candidates are shown, and in which order."""

from collections.abc import Mapping, Sequence

from mmsearch_core.records.ids import ProductId
from mmsearch_core.records.ranking import Candidate, Hit, Judgement
from mmsearch_core.settings import Search


def decide(
    candidates: Sequence[Candidate], judgements: Mapping[ProductId, Judgement], settings: Search
) -> list[Hit]:
    """相关 by relevance, equals in fused order, then in fused order what could not be judged
    (verdict None). 不相关 is never shown, also where a list stays short."""
    ranked = sorted(candidates, key=lambda found: (-found.fused, found.product_id))
    good: list[Candidate] = []
    unjudged: list[Candidate] = []
    for found in ranked:
        judgement = judgements.get(found.product_id)
        if judgement is None:
            unjudged.append(found)
        elif judgement.verdict == "相关":
            good.append(found)
    good.sort(key=lambda found: -judgements[found.product_id].relevance)
    hits = [_hit(found, judgements[found.product_id]) for found in good]
    hits += [_hit(found, None) for found in unjudged]
    return hits[: settings.hits]


def _hit(candidate: Candidate, judgement: Judgement | None) -> Hit:
    return Hit(
        product_id=candidate.product_id,
        relevance=judgement.relevance if judgement else None,
        fused=candidate.fused,
        verdict=judgement.verdict if judgement else None,
        evidence=candidate.evidence(judgement.reason if judgement else ""),
    )
