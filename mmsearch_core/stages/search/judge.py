"""judge: what each candidate is worth for its query.

What the shop's attributes cover is graded from the likelihoods that Qwen3-VL gave their values when
it described the picture, without a call. Where that says nothing (a query without such a
constraint, a picture without a description) Qwen3-VL holds picture and words against the query.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmsearch_core.answers import to_description
from mmsearch_core.errors import BadRecord, PixelsMissing
from mmsearch_core.media import kind_of
from mmsearch_core.ports.models import VisionLanguageModel
from mmsearch_core.ports.stores import Memo
from mmsearch_core.ports.truth import Stores
from mmsearch_core.prompts import load
from mmsearch_core.records.asset import Removal
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import AssetId, PairId, PixelsId, QueryKey, SegmentId, digest
from mmsearch_core.records.plan import QUERY
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Candidate, Judgement, Look
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.target import Target
from mmsearch_core.records.vocabulary import Vocabulary
from mmsearch_core.search.grade import Grade, Grader, covered
from mmsearch_core.shards import canary
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage, Tally
from mmsearch_core.shards.targets import of_search_plan
from mmsearch_core.stages.search.pair_scores import Pair, PairScores, Reading

RELEVANT = 0.5  # of the model's likelihood that a pair fits
DIGITS = 4  # of a relevance that are kept
DIGITS_OF_YES = 2  # the third of two that are near 1 is chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """How products are graded: by the shop's words; one that is less likely to be worth anything
    than ``least_likely`` is 不相关."""

    vocabulary: Vocabulary
    least_likely: float


def recipe(model: str, grading: Grading) -> Recipe:
    """What decides a judgement, given the descriptions and the scores of pairs."""
    attributes: list[dict[str, Any]] = []
    for each in grading.vocabulary.attributes:
        words = {value.value_id: value.words for value in each.values}
        attributes.append({"name": each.name, "soft": each.soft, "values": words})
    gains = grading.vocabulary.gains
    return Recipe(
        stage="judge",
        version=2,
        model=model,
        prompt=load("judge").digest,
        settings={
            "attributes": json.dumps(attributes, ensure_ascii=False),
            "gains": f"{gains.fits} {gains.near}",
            "least_likely": str(grading.least_likely),
        },
    )


def stage(
    *,
    stores: Stores,
    memo: Memo,
    model: VisionLanguageModel,
    grading: Grading,
    batch: int,
    target: Target | None = None,
) -> Stage[Pair]:
    """Judge each pair.

    ``target`` is the index that the candidates are of, where no plan names it.
    """
    judge = Judge(stores, memo, model, grading)

    def work_on(pairs: Sequence[Pair], run: ShardRun) -> list[Outcome]:
        judge.begin(run, target)
        return judge.run(pairs, run.tally)

    return Stage(
        name="judge",
        recipes={QUERY: recipe(model.name, grading)},
        reads={"standard": "standardize", "candidates": "retrieve"},
        writes={"judgements": Judgement},
        items=lambda shard, _: _pairs(shard),
        id_of=lambda pair: f"{pair.query.query_key}/{pair.candidate.product_id}",
        work=work_on,
        batch=batch,
        finish=judge.fold,
        canary=lambda: canary.of_judging(model),
    )


class Judge:
    """Judges batches of pairs by the descriptions of an index's pictures."""

    def __init__(
        self, stores: Stores, memo: Memo, model: VisionLanguageModel, grading: Grading
    ) -> None:
        self._stores, self._memo, self._grading = stores, memo, grading
        self._scores = PairScores(stores.work, memo, model)
        self._described: dict[PixelsId, Description | None] = {}
        self._graders: dict[QueryKey, Grader | None] = {}
        self._begun: ShardRun | None = None
        self._name = f"{model.name} {recipe(model.name, grading).recipe_id[:12]}"

    def begin(self, run: ShardRun, target: Target | None) -> None:
        """Candidates are of this index, or of the plan's, from now on; once for a run."""
        if self._begun is run:
            return
        self._begun = run
        self._described.clear()
        self._graders.clear()
        self._target = target or of_search_plan(run.planned, self._stores)

    def run(self, pairs: Sequence[Pair], tally: Tally) -> list[Outcome]:
        """One judgement per pair, or why there is none."""
        self._look_up(pairs)
        grades = [self._grade(pair) for pair in pairs]
        readings = [
            None
            if graded
            else self._scores.reading(pair, self._described.get(pair.candidate.pixels))
            for pair, graded in zip(pairs, grades, strict=True)
        ]
        asked = [reading for reading in readings if reading]
        scores = self._scores.of(asked, tally)
        tally["graded"] += len(pairs) - len(asked)
        self._doubt([each for each in asked if _lacks_pixels(scores[each.judged_id])])
        outcomes: list[Outcome] = []
        for pair, graded, reading in zip(pairs, grades, readings, strict=True):
            if reading:
                outcomes.append(self._asked(reading, scores[reading.judged_id]))
            elif graded:
                outcomes.append([self._graded(pair, graded)])
        return outcomes

    def fold(self) -> None:
        """Remember what the model said."""
        self._scores.fold()

    def _look_up(self, pairs: Sequence[Pair]) -> None:
        """Read the descriptions of what is seen of the candidates, unless they were read before."""
        new: dict[str, dict[PixelsId, None]] = defaultdict(dict)
        for pair in pairs:
            place = Look(pixels=pair.candidate.pixels, kind=kind_of(pair.candidate.key))
            for look in (place, *pair.candidate.looks):
                if look.pixels not in self._described:
                    new[look.kind][look.pixels] = None
        for kind, pixels in new.items():
            answers = self._memo.get_many(self._target.recipes[kind]["describe"], list(pixels))
            for each in pixels:
                self._described[each] = _read(answers.get(each))

    def _grade(self, pair: Pair) -> Grade | None:
        """The best of what is seen of the product: attributes of two garments never add up to a
        fit. None where the vocabulary does not cover the query, or nothing is known of what is
        seen."""
        grader = self._grader(pair.query)
        if grader is None:
            return None
        seen = [self._described[look.pixels] for look in pair.candidate.looks]
        known = [each.likelihoods for each in seen if each and each.likelihoods]
        grades = map(grader.grade, known)
        return max(grades, key=lambda one: (not one.is_excluded, one.expected), default=None)

    def _grader(self, query: StandardQuery) -> Grader | None:
        """Made once for a query; None where the vocabulary does not cover it."""
        if query.query_key not in self._graders:
            words = self._grading.vocabulary
            grader = Grader(query.constraints, words) if covered(query.constraints, words) else None
            self._graders[query.query_key] = grader
        return self._graders[query.query_key]

    def _graded(self, pair: Pair, graded: Grade) -> Judgement:
        likely = graded.fits + graded.near >= self._grading.least_likely
        shown = likely and not graded.is_excluded
        pair_id = digest("graded", self._name, pair.query.query_key, pair.candidate.product_id)
        return self._judgement(pair, pair_id, graded.expected, shown=shown, reason=graded.reason)

    def _asked(self, reading: Reading, score: float | BadRecord) -> Outcome:
        if isinstance(score, BadRecord):
            return score
        described = self._described.get(reading.pair.candidate.pixels) is not None
        reason = "" if described else "not described"
        shown, relevance = score >= RELEVANT, round(score, DIGITS_OF_YES)
        return [
            self._judgement(reading.pair, reading.judged_id, relevance, shown=shown, reason=reason)
        ]

    def _judgement(
        self, pair: Pair, pair_id: str, relevance: float, *, shown: bool, reason: str
    ) -> Judgement:
        return Judgement(
            pair_id=PairId(pair_id),
            query_key=pair.query.query_key,
            product_id=pair.candidate.product_id,
            segment_id=pair.candidate.segment_id,
            relevance=round(relevance, DIGITS),
            verdict="相关" if shown else "不相关",
            reason=reason,
            judge=self._name,
        )

    def _doubt(self, readings: Sequence[Reading]) -> None:
        """Assets without pixels count as changed, so that the next comparison decodes them
        again."""
        bucket = self._stores.catalog.bucket
        places: dict[AssetId, Removal] = {}
        for reading in readings:
            found = reading.pair.candidate
            place = Removal(asset_id=found.asset_id, bucket=bucket, key=found.key)
            places[found.asset_id] = place
        if places:  # the plan looks at each object before it believes that it is gone
            self._stores.ledger.doubt(self._target.target_id, list(places.values()))


def _read(answer: bytes | None) -> Description | None:
    """The description; None where there is none, or one that the next describing replaces."""
    try:
        return to_description(answer, SegmentId("")) if answer else None
    except BadRecord:
        return None


def _lacks_pixels(score: float | BadRecord) -> bool:
    return isinstance(score, PixelsMissing)


def _pairs(shard: Shard) -> list[Pair]:
    """Neighbours share a picture, so that an engine's caches hit."""
    queries: Mapping[str, StandardQuery] = {
        query.query_key: query for query in shard.read("standard", StandardQuery)
    }
    candidates = sorted(
        shard.read("candidates", Candidate), key=lambda found: (found.pixels, found.query_key)
    )
    return [Pair(query=queries[found.query_key], candidate=found) for found in candidates]
