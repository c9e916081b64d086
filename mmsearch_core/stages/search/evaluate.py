"""evaluate: each leg, their fusion and the judge on queries that people judged, against chance and
the best."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from mmsearch_core.errors import BadSettings
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import ProductId, QueryKey, digest
from mmsearch_core.records.plan import QUERY
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Candidate, Judgement
from mmsearch_core.records.report import EvaluateReport, Figures, Headroom
from mmsearch_core.search.ask import Line, answers, normalised, standardized
from mmsearch_core.search.candidates import Retrieved, retrieve
from mmsearch_core.search.decide import decide
from mmsearch_core.search.fusion import sellable
from mmsearch_core.search.legs import Found
from mmsearch_core.stages.index.switch import Measured, paired_randomization, remember
from mmsearch_core.stages.search.judged_queries import JudgedQuery
from mmsearch_core.stages.search.pair_scores import Pair

log = structlog.get_logger()

Ranking = Sequence[str]  # product ids, best first
METRICS = ("ndcg@10", "map@10", "recall@50")
ALIKE: dict[str, Any] = {"weights": {}}  # each leg by itself counts, whatever it weighs in fusion
# which legs are fused in a row
ROWS = {
    "clip": ("clip",),
    "sbert": ("sbert",),
    "bm25": ("bm25_en", "bm25_zh"),
    "bm25_en": ("bm25_en",),
    "bm25_zh": ("bm25_zh",),
    "fused": ("clip", "sbert", "bm25_en", "bm25_zh"),
}


def run(judged: Sequence[JudgedQuery], line: Line) -> EvaluateReport:
    """Rank every query in every way, and remember what was found of the index; returns the task's
    report."""
    all_of_them = judged
    queries = standardized([query.asked for query in judged], line)
    ids = [query.asked.query_id for query in judged]
    left_out = [query_id for query_id in ids if query_id not in queries]
    judged = [query for query in judged if query.asked.query_id in queries]
    if not judged:
        raise BadSettings(
            "None of the judged queries could be standardized: look at the model that the settings"
            " name."
        )
    rankings = ranked(judged, queries, line)
    scores = {row: score(judged, ranking) for row, ranking in rankings.items()}
    rows = []
    for name, group in groups(judged).items():
        rows += [figure(row, name, group, scores[row]) for row in scores]
    found = dict.fromkeys(ids, 0.0) | scores["judged"]["ndcg@10"]
    measured = Measured(collection=line.target.collection, queries=name_of(all_of_them), ndcg=found)
    remember(line.stores.work, line.target.target_id, measured)
    room = headroom(scores)
    log.info(
        "evaluate.done",
        queries=len(judged),
        left_out=len(left_out),
        recovered=room.recovered,
        p_value=room.p_value,
    )
    commit = line.stores.ledger.commit_number(line.target.target_id)
    return EvaluateReport(
        index=f"{line.target.collection}@{commit}",
        queries=len(judged),
        left_out=tuple(left_out),
        rows=tuple(rows),
        headroom=room,
    )


def name_of(judged: Sequence[JudgedQuery]) -> str:
    """A digest of the queries and their grades."""
    lines = []
    for query in judged:
        for name, grade in query.grades.items():
            lines.append(f"{query.asked.query_id} {name} {grade}")
    return digest("judged", *sorted(lines))


def ranked(
    judged: Sequence[JudgedQuery], queries: Mapping[str, StandardQuery], line: Line
) -> dict[str, dict[str, Ranking]]:
    """Rankings by row and query id; ``judged`` is what would be published."""
    asked = [queries[query.asked.query_id] for query in judged]
    retrieved = found_for(judged, asked, line)
    ids = [query.asked.query_id for query in judged]
    rankings: dict[str, dict[str, Ranking]] = {"random": _random(judged, line)}
    for row, names in ROWS.items():
        only = [_of_legs(each.found, names) for each in retrieved]
        settings = line.settings if row == "fused" else line.settings.model_copy(update=ALIKE)
        candidates = sellable(asked, only, line.stores, line.target, settings)
        rankings[row] = dict(zip(ids, map(_products, candidates), strict=True))
    rankings["judged"] = _judged(judged, asked, [each.candidates for each in retrieved], line)
    rankings["ceiling"] = _best_of_candidates(judged, [each.candidates for each in retrieved])
    rankings["oracle"] = {query.asked.query_id: _best_first(query.grades) for query in judged}
    return rankings


def found_for(
    judged: Sequence[JudgedQuery], asked: Sequence[StandardQuery], line: Line
) -> list[Retrieved]:
    """What is retrieved for each query."""
    pictures = normalised([query.asked for query in judged], line)
    legs = line.legs.for_queries(line.target.collection, asked, pictures)
    return retrieve(asked, legs, line.stores, line.target, line.settings)


def _of_legs(found: Found, names: Sequence[str]) -> Found:
    """What these legs found, of all that was found."""
    return {leg: matches for leg, matches in found.items() if leg in names}


def _products(candidates: Sequence[Candidate]) -> Ranking:
    return [candidate.product_id for candidate in candidates]


def _best_of_candidates(
    judged: Sequence[JudgedQuery], candidates: Sequence[Sequence[Candidate]]
) -> dict[str, Ranking]:
    """What a judge without fault would make of the candidates, by query id."""
    rankings: dict[str, Ranking] = {}
    for query, some in zip(judged, candidates, strict=True):
        grades = {name: query.grades.get(name, 0) for name in _products(some)}
        rankings[query.asked.query_id] = _best_first(grades)
    return rankings


def _best_first(grades: Mapping[str, int]) -> Ranking:
    """The best order that there is: by grade, equals by name."""
    return sorted(grades, key=lambda name: (-grades[name], name))


def score(
    judged: Sequence[JudgedQuery], rankings: Mapping[str, Ranking]
) -> dict[str, dict[str, float]]:
    """nDCG@10 (Järvelin and Kekäläinen, 2002), average precision at 10 and recall at 50, by metric
    and query id."""
    import ir_measures
    from ir_measures import AP, R, nDCG

    names = dict(zip((nDCG @ 10, AP @ 10, R @ 50), METRICS, strict=True))
    ranks = []
    for query_id, ranking in rankings.items():
        for place, name in enumerate(ranking):
            ranks.append(ir_measures.ScoredDoc(query_id, name, -place))
    nothing = dict.fromkeys(rankings, 0.0)
    values: dict[str, dict[str, float]] = {name: dict(nothing) for name in METRICS}
    for found in ir_measures.iter_calc(list(names), qrels_of(judged), ranks):
        values[names[found.measure]][found.query_id] = found.value
    return values


def qrels_of(judged: Sequence[JudgedQuery]) -> list[Any]:
    """The grades as ``ir_measures`` takes them."""
    import ir_measures

    qrels = []
    for query in judged:
        for name, grade in query.grades.items():
            qrels.append(ir_measures.Qrel(query.asked.query_id, name, grade))
    return qrels


def groups(judged: Sequence[JudgedQuery]) -> dict[str, list[str]]:
    """Query ids of all, by language, and by kind."""
    found: dict[str, list[str]] = defaultdict(list)
    for query in judged:
        found["all"].append(query.asked.query_id)
    for query in sorted(judged, key=lambda query: (query.asked.locale, query.kind)):
        found[f"locale={query.asked.locale}"].append(query.asked.query_id)
    for query in sorted(judged, key=lambda query: query.kind):
        found[f"kind={query.kind}"].append(query.asked.query_id)
    return dict(found)


def figure(
    row: str, group: str, members: Sequence[str], scores: Mapping[str, Mapping[str, float]]
) -> Figures:
    """A line of the table."""
    means = {}
    for name in METRICS:
        total = sum(scores[name][each] for each in members)
        means[name] = round(total / len(members), 4)
    return Figures(row=row, group=group, queries=len(members), means=means)


def headroom(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Headroom:
    """How much of what fusion leaves to be gained the judge gains, in nDCG@10, and whether that is
    chance."""
    fused = list(scores["fused"]["ndcg@10"].values())
    judged = list(scores["judged"]["ndcg@10"].values())
    room = sum(scores["oracle"]["ndcg@10"].values()) - sum(fused)
    gained = sum(judged) - sum(fused)
    recovered = round(gained / room, 4) if room > 0 else None
    p_value = round(paired_randomization(judged, fused), 4)
    return Headroom(recovered=recovered, p_value=p_value)


def _random(judged: Sequence[JudgedQuery], line: Line) -> dict[str, Ranking]:
    names: list[ProductId] = []
    for batch in line.stores.ledger.product_texts():
        names += [name for name, _ in batch]
    products: Mapping[ProductId, Product] = line.stores.ledger.products(names)
    shown = sorted(name for name, product in products.items() if product.in_stock)
    dice = random.Random(0)  # noqa: S311 no secret
    size = min(len(shown), line.settings.hits)
    return {query.asked.query_id: dice.sample(shown, size) for query in judged}


def _judged(
    judged: Sequence[JudgedQuery],
    asked: Sequence[StandardQuery],
    candidates: Sequence[Sequence[Candidate]],
    line: Line,
) -> dict[str, Ranking]:
    pairs = []
    for query, some in zip(asked, candidates, strict=True):
        pairs += [Pair(query=query, candidate=each) for each in some]
    said: dict[QueryKey, dict[ProductId, Judgement]] = defaultdict(dict)
    for judgement in answers(line.stage("judge"), QUERY, pairs):
        if judgement:
            said[judgement.query_key][judgement.product_id] = judgement
    rankings: dict[str, Ranking] = {}
    for each, query, some in zip(judged, asked, candidates, strict=True):
        hits = decide(some, said[query.query_key], line.settings)
        rankings[each.asked.query_id] = [hit.product_id for hit in hits]
    return rankings
