"""tune: the weights of the legs, found on queries that people judged."""

import random
import sys
from collections.abc import Mapping, Sequence
from heapq import nsmallest

import structlog

from mmsearch_core.errors import BadSettings
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.report import TuneReport
from mmsearch_core.search.ask import Line, standardized
from mmsearch_core.search.fusion import for_sale, fuse
from mmsearch_core.settings import LEGS
from mmsearch_core.stages.index.switch import paired_randomization
from mmsearch_core.stages.search.evaluate import found_for, name_of, qrels_of
from mmsearch_core.stages.search.judged_queries import JudgedQuery

log = structlog.get_logger()

GRID = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)  # that a leg may weigh
ROUNDS = 4  # through all legs, at most
SHOWN = 10  # products of a list that are measured
DECIMALS = 4  # of a figure
LEAST = 20  # queries of which half can tell anything
Weights = Mapping[str, float]


def run(judged: Sequence[JudgedQuery], line: Line) -> TuneReport:
    """Search the weights leg by leg, each time the one that ranks best (nDCG@10 of fusion), until
    no other is better.

    The weights that are told are found on all queries. What they are worth on others is told by
    searching twice more, each time on one half of the queries and measured on the other.

    :raises BadSettings: there are too few judged queries.
    """
    tuning = Tuning(judged, line)
    halves = tuning.halves()
    before = tuning.ndcg(line.settings.weights, tuning.ids)
    weights = tuning.search(tuning.ids)
    held_out: dict[str, float] = {}
    for found_on, measured_on in (halves, halves[::-1]):
        held_out |= tuning.ndcg(tuning.search(found_on), measured_on)
    after = tuning.ndcg(weights, tuning.ids)
    others = [held_out[query_id] for query_id in tuning.ids]
    as_set = [before[query_id] for query_id in tuning.ids]
    commit = line.stores.ledger.commit_number(line.target.target_id)
    report = TuneReport(
        index=f"{line.target.collection}@{commit}",
        judged=name_of(judged),
        queries=len(tuning.ids),
        weights=weights,
        before=_mean(before),
        after=_mean(after),
        held_out=_mean(held_out),
        p_value=round(paired_randomization(others, as_set), DECIMALS),
    )
    log.info("tune.done", weights=weights, before=report.before, held_out=report.held_out)
    return report


class Tuning:
    """Where each leg ranks the products of judged queries, to be fused again and again."""

    def __init__(self, judged: Sequence[JudgedQuery], line: Line) -> None:
        import ir_measures

        queries = standardized([query.asked for query in judged], line)
        usable = [query for query in judged if query.asked.query_id in queries]
        if len(usable) < LEAST:
            raise BadSettings(
                f"{len(usable)} judged queries can be used, and weights need {LEAST}: judge more."
            )
        self.ids = [query.asked.query_id for query in usable]
        self._given, self._rrf_k = line.settings.weights, line.settings.rrf_k
        self._ranks = _ranks(usable, [queries[query_id] for query_id in self.ids], line)
        self._evaluator = ir_measures.evaluator([ir_measures.nDCG @ SHOWN], qrels_of(usable))

    def halves(self) -> tuple[list[str], list[str]]:
        """The queries in two halves by chance, always the same."""
        shuffled = random.Random(0).sample(self.ids, len(self.ids))  # noqa: S311 no secret
        middle = len(shuffled) // 2
        return shuffled[:middle], shuffled[middle:]

    def search(self, ids: Sequence[str]) -> dict[str, float]:
        """The best weights for these queries; of equal ones those that were there before."""
        weights = {leg: self._given.get(leg, 1.0) for leg in LEGS}
        best = _mean(self.ndcg(weights, ids))
        for _ in range(ROUNDS):
            start = dict(weights)
            for leg in LEGS:
                for weight in GRID:
                    tried = {**weights, leg: weight}
                    worth = _mean(self.ndcg(tried, ids)) if any(tried.values()) else 0.0
                    if worth > best:
                        best, weights = worth, tried
            if weights == start:
                break
        return weights

    def ndcg(self, weights: Weights, ids: Sequence[str]) -> dict[str, float]:
        """nDCG@10 of fusion with these weights, by query id; legs that are not named weigh 1."""
        import ir_measures

        ranks = []
        for query_id in ids:
            for place, name in enumerate(self._ranking(query_id, weights)):
                ranks.append(ir_measures.ScoredDoc(query_id, name, -place))
        found = dict.fromkeys(ids, 0.0)
        for figure in self._evaluator.iter_calc(ranks):
            if figure.query_id in found:  # those of which nothing is ranked are told, too
                found[figure.query_id] = figure.value
        return found

    def _ranking(self, query_id: str, weights: Weights) -> list[str]:
        """The first ten of weighted reciprocal rank fusion, as ``fuse`` would have them."""
        fused: dict[str, float] = {}
        for name, ranks in self._ranks[query_id].items():
            parts = [weights.get(leg, 1.0) / (self._rrf_k + rank) for leg, rank in ranks.items()]
            fused[name] = sum(parts)
        found = [name for name in fused if fused[name]]
        return nsmallest(SHOWN, found, key=lambda name: (-fused[name], name))


def _ranks(
    judged: Sequence[JudgedQuery], asked: Sequence[StandardQuery], line: Line
) -> dict[str, dict[str, Mapping[str, int]]]:
    """The rank of every product in each leg that found it, by query id and product."""
    found = [each.found for each in found_for(judged, asked, line)]
    known = for_sale(found, line.stores, line.target)
    everything = line.settings.model_copy(update={"weights": {}, "candidates": sys.maxsize})
    ranks: dict[str, dict[str, Mapping[str, int]]] = {}
    for query, said, legs in zip(judged, asked, found, strict=True):
        fused = fuse(said, legs, known, everything)
        ranks[query.asked.query_id] = {str(each.product_id): each.ranks for each in fused}
    return ranks


def _mean(figures: Mapping[str, float]) -> float:
    return round(sum(figures.values()) / len(figures), DECIMALS)
