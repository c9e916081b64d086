"""judge: Qwen3-VL holds each candidate's picture and description against the query."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from mmsearch_core.ahead import ahead
from mmsearch_core.answers import to_description
from mmsearch_core.errors import BadRecord, MMSearchError, PixelsMissing, UnusableAnswer
from mmsearch_core.layout import pixels_key
from mmsearch_core.media import kind_of
from mmsearch_core.ports.models import VisionLanguageModel
from mmsearch_core.ports.stores import EDITION, Memo
from mmsearch_core.ports.truth import Stores
from mmsearch_core.prompts import Prompt, load
from mmsearch_core.records.asset import Removal
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import (
    AssetId,
    PairId,
    PixelsId,
    QueryKey,
    RecipeId,
    SegmentId,
    digest,
)
from mmsearch_core.records.plan import QUERY
from mmsearch_core.records.query import Constraint, StandardQuery
from mmsearch_core.records.question import Frame, Question
from mmsearch_core.records.ranking import Candidate, Judgement, PairScore
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.target import Target
from mmsearch_core.shards import canary
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage, Tally
from mmsearch_core.shards.targets import of_search_plan

RELEVANT = 0.5
CONTRADICTED = 0.49  # the most that a candidate is worth whose description contradicts the query
DIGITS = 6  # of a score that are kept
UNNAMED = {"unknown"}  # words of a value that says nothing
FOLD_SECONDS = 600  # for which scores wait at most to be remembered: what a death may cost
READERS = 8
THREADS = 16  # for the memo's objects, one per query
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A candidate and the query it was found for."""

    query: StandardQuery
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A pair as the model reads it. ``attributes`` are the description's, None where there is
    none."""

    pair: Pair
    text: str
    judged_id: PairId
    attributes: Mapping[str, str] | None


def recipe(model: str) -> Recipe:
    """What decides the score of a pair. The verdict is made of it afterwards and needs no model."""
    return Recipe(stage="judge", version=1, model=model, prompt=load("judge").digest, settings={})


def stage(
    *,
    stores: Stores,
    memo: Memo,
    model: VisionLanguageModel,
    batch: int,
    target: Target | None = None,
) -> Stage[Pair]:
    """Judge each pair once, ever: the query's memo object holds what was judged before.

    ``target`` is the index that the candidates are of, where no plan names it.
    """
    judge = Judge(stores, memo, model)

    def work_on(pairs: Sequence[Pair], run: ShardRun) -> list[Outcome]:
        judge.begin(run, target)
        return judge.run(pairs, run.tally)

    return Stage(
        name="judge",
        recipes={QUERY: judge.recipe},
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
    """Scores batches of pairs and remembers the scores: those of a shard together, or earlier if
    they wait for long.

    A pair has two ids. ``pair_id`` is made of what the index shows of a candidate, so that a known
    pair costs no look at its description. A pair unknown by it may be known by ``judged_id``, of
    what the model reads: the title changed, or another product has the same picture. Only a pair
    unknown by both is a question to the model.
    """

    def __init__(self, stores: Stores, memo: Memo, model: VisionLanguageModel) -> None:
        self._stores, self._memo, self._model = stores, memo, model
        self._prompt = load("judge")
        self._known: dict[QueryKey, dict[PairId, PairScore]] = {}
        self._relevance: dict[PairId, float] = {}  # by judged_id
        self._waiting: dict[QueryKey, list[PairScore]] = defaultdict(list)
        self._folded_at = time.monotonic()
        self._begun: ShardRun | None = None
        self.recipe = recipe(model.name)

    def begin(self, run: ShardRun, target: Target | None) -> None:
        """Candidates are of this index, or of the plan's, from now on; once for a run."""
        if self._begun is run:
            return
        self._begun = run
        self._target = target or of_search_plan(run.planned, self._stores)
        self._describe = {kind: of["describe"] for kind, of in self._target.recipes.items()}
        self._editions = {kind: self._edition(recipe) for kind, recipe in self._describe.items()}

    def _edition(self, describe: RecipeId) -> str:
        return self._memo.get_many(describe, [EDITION]).get(EDITION, b"").decode()

    def run(self, pairs: Sequence[Pair], tally: Tally) -> list[Outcome]:
        """One judgement per pair, or why there is none."""
        self._recall({pair.query.query_key for pair in pairs})
        named = [(self._pair_id(pair), pair) for pair in pairs]
        unknown = {
            pair_id: pair
            for pair_id, pair in named
            if pair_id not in self._known[pair.query.query_key]
        }
        before = tally["calls_made"]
        failed = self._score(unknown, tally) if unknown else {}
        tally["calls_saved"] += len(pairs) - (tally["calls_made"] - before)
        if time.monotonic() - self._folded_at > FOLD_SECONDS:
            self.fold()
        return [failed.get(pair_id) or [self._judgement(pair_id, pair)] for pair_id, pair in named]

    def fold(self) -> None:
        """Merge the scores that wait into their queries' objects of the memo."""
        _for_each(self._remember, list(self._waiting))
        self._waiting.clear()
        self._folded_at = time.monotonic()

    def _remember(self, query: QueryKey) -> None:
        self._memo.add_judgements(self.recipe.recipe_id, query, self._waiting[query])

    def _recall(self, queries: Collection[QueryKey]) -> None:
        """Read what is remembered of these queries, unless it was read before."""
        new = [query for query in queries if query not in self._known]
        for query, scores in zip(new, _for_each(self._remembered, new), strict=True):
            self._known[query] = {score.pair_id: score for score in scores}
            for score in scores:
                self._relevance[PairId(score.judged_id or score.pair_id)] = score.relevance

    def _remembered(self, query: QueryKey) -> list[PairScore]:
        return self._memo.judgements(self.recipe.recipe_id, query)

    def _pair_id(self, pair: Pair) -> PairId:
        query, candidate = pair.query, pair.candidate
        kind = kind_of(candidate.key)
        described = (self._describe[kind], self._editions[kind])
        shown = (candidate.pixels, candidate.kind, candidate.text, *described)
        return PairId(
            digest("shown", self.recipe.recipe_id, query.query_key, query.judged_text, *shown)
        )

    def _score(self, unknown: Mapping[PairId, Pair], tally: Tally) -> dict[PairId, BadRecord]:
        """Score pairs that are not known as the index shows them; returns those that could not be
        scored."""
        readings = self._read(unknown)
        new: dict[PairId, Reading] = {}
        for each in readings.values():
            if each.judged_id not in self._relevance:
                new[each.judged_id] = each
        tally["calls_made"] += len(new)
        failures = self._ask(list(new.values()))
        failed: dict[PairId, BadRecord] = {}
        without_pixels: list[Reading] = []
        for pair_id, reading in readings.items():
            failure = failures.get(reading.judged_id)
            if failure:
                failed[pair_id] = failure
                if isinstance(failure, PixelsMissing):
                    without_pixels.append(reading)
                continue
            query = reading.pair.query.query_key
            self._known[query][pair_id] = PairScore(
                pair_id=pair_id,
                relevance=self._relevance[reading.judged_id],
                judged_id=reading.judged_id,
                attributes=reading.attributes,
            )
            self._waiting[query].append(self._known[query][pair_id])
        self._doubt(without_pixels)
        return failed

    def _read(self, pairs: Mapping[PairId, Pair]) -> dict[PairId, Reading]:
        pixels: dict[str, list[PixelsId]] = defaultdict(list)
        for pair in pairs.values():
            pixels[kind_of(pair.candidate.key)].append(pair.candidate.pixels)
        descriptions: dict[str, Description] = {}
        for kind, of_kind in pixels.items():
            answers = self._memo.get_many(self._describe[kind], list(dict.fromkeys(of_kind)))
            for name, answer in answers.items():
                descriptions[name] = to_description(answer, SegmentId(""))
        return {
            pair_id: self._reading(pair, descriptions.get(pair.candidate.pixels))
            for pair_id, pair in pairs.items()
        }

    def _reading(self, pair: Pair, description: Description | None) -> Reading:
        """A product that could not be described is judged by its words in the feed; what happens in
        a video, or stands on a page, is read beside what is seen."""
        said = description.judged_text if description else pair.candidate.text
        if description and pair.candidate.kind != "caption":
            said = f"{said} {pair.candidate.text}"
        text = self._prompt.clean(said)
        judged = (self.recipe.recipe_id, pair.query.judged_text, pair.candidate.pixels, text)
        return Reading(
            pair=pair,
            text=text,
            judged_id=PairId(digest("pair", *judged)),
            attributes=description.attributes if description else None,
        )

    def _ask(self, readings: Sequence[Reading]) -> dict[PairId, BadRecord]:
        """Keep the model's scores by ``judged_id``; returns the pairs for which there is none."""
        failures: dict[PairId, BadRecord] = {}
        questions: dict[PairId, Question] = {}
        for reading, picture in zip(readings, self._pictures(readings), strict=True):
            if isinstance(picture, BadRecord):
                failures[reading.judged_id] = picture
            else:
                questions[reading.judged_id] = _question(self._prompt, reading, picture)
        for judged_id, score in zip(questions, self._choose(list(questions.values())), strict=True):
            if isinstance(score, BadRecord):
                failures[judged_id] = score
            else:
                self._relevance[judged_id] = score
        return failures

    def _pictures(self, readings: Sequence[Reading]) -> Iterator[bytes | BadRecord]:
        """Normalised pictures in order, read from the store while earlier ones are used."""
        pixels = [reading.pair.candidate.pixels for reading in readings]
        return ahead(self._picture, pixels, workers=READERS, window=4 * READERS)

    def _picture(self, pixels: PixelsId) -> bytes | BadRecord:
        key = pixels_key(pixels)
        missing = PixelsMissing(f"{key} is missing: the next catalog_refresh writes it again.")
        return self._stores.work.get(key) or missing

    def _choose(self, questions: Sequence[Question]) -> list[float | BadRecord]:
        if not questions:
            return []
        try:
            weights = self._model.weigh(questions, self._prompt.labels or ("yes", "no"))
        except MMSearchError:
            self.fold()  # an engine that goes away must not take with it what it said before
            raise
        return [_checked(said) for said in weights]

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

    def _judgement(self, pair_id: PairId, pair: Pair) -> Judgement:
        """The remembered score, of this candidate; what its description says for certain outweighs
        the model."""
        score = self._known[pair.query.query_key][pair_id]
        attributes = score.attributes or {}
        contradicted = any(
            contradicts(attributes, constraint) for constraint in pair.query.constraints
        )
        relevance = min(score.relevance, CONTRADICTED) if contradicted else score.relevance
        return Judgement(
            pair_id=PairId(score.judged_id),
            query_key=pair.query.query_key,
            product_id=pair.candidate.product_id,
            segment_id=pair.candidate.segment_id,
            relevance=relevance,
            verdict="相关" if relevance >= RELEVANT else "不相关",
            reason=reason(pair.query, score.attributes),
            judge=f"{self._model.name} {self._prompt.digest[:12]}",
        )


def contradicts(attributes: Mapping[str, str], constraint: Constraint) -> bool:
    """Whether a description breaks the constraint for certain: it names a value that is excluded,
    or one that is none of the wanted. Values are compared word by word, so that "navy blue" is
    blue, and "blue" may be navy blue."""
    named = _words(attributes.get(constraint.attribute, ""))
    if not named:
        return False
    values = [_words(value) for value in constraint.values]
    if constraint.exclude:
        return any(value <= named for value in values)
    return not any(value <= named or named <= value for value in values)


def reason(query: StandardQuery, attributes: Mapping[str, str] | None) -> str:
    """Where the description meets the query's constraints, and where not; found by comparing, not
    by the model."""
    if attributes is None:
        return "not described"
    parts = []
    for constraint in query.constraints:
        named = attributes.get(constraint.attribute, "")
        missed = contradicts(attributes, constraint) or not (_words(named) or constraint.exclude)
        wanted = f", wanted {str(constraint).partition(': ')[2]}" if missed else ""
        parts.append(f"{constraint.attribute} is {named or 'unknown'}{wanted}")
    return "; ".join(parts)


def _words(value: str) -> frozenset[str]:
    words = frozenset(value.casefold().split())
    return frozenset() if words <= UNNAMED else words


def _checked(weights: Sequence[float] | BadRecord) -> float | BadRecord:
    """The score, rounded: how likely the first label is. A picture may overflow half precision."""
    if isinstance(weights, BadRecord):
        return weights
    score = weights[0]
    if math.isfinite(score) and 0 <= round(score, DIGITS) <= 1:
        return round(score, DIGITS)
    return UnusableAnswer(
        f"The model's score is {score}, not a number from 0 to 1: try models.dtype float32."
    )


def _for_each(work: Callable[[In], Out], items: Sequence[In]) -> list[Out]:
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, items))


def _pairs(shard: Shard) -> list[Pair]:
    """Neighbours share a picture, so that an engine's caches hit."""
    queries = {query.query_key: query for query in shard.read("standard", StandardQuery)}
    candidates = sorted(
        shard.read("candidates", Candidate), key=lambda found: (found.pixels, found.query_key)
    )
    return [Pair(query=queries[found.query_key], candidate=found) for found in candidates]


def _question(prompt: Prompt, reading: Reading, picture: bytes) -> Question:
    return Question(
        system=prompt.system,
        text=prompt.text(description=reading.text, query=reading.pair.query.judged_text),
        frames=(Frame(jpeg=picture),),
    )
