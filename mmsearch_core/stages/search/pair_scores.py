"""What Qwen3-VL says of a query and a picture with its words: how likely it fits. Each pair is
asked once, ever."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from mmsearch_core.ahead import ahead
from mmsearch_core.errors import BadRecord, MMSearchError, PixelsMissing, UnusableAnswer
from mmsearch_core.layout import pixels_key
from mmsearch_core.ports.models import VisionLanguageModel
from mmsearch_core.ports.stores import Memo, ObjectStore
from mmsearch_core.prompts import load
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import PairId, PixelsId, QueryKey, digest
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.question import Frame, Question
from mmsearch_core.records.ranking import Candidate, PairScore
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.shards.stage import Tally

DIGITS = 6  # of a score that are kept
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
    """A pair as the model reads it; ``judged_id`` names the query, the pixels and the text."""

    pair: Pair
    text: str
    judged_id: PairId


def recipe(model: str) -> Recipe:
    """What decides the score of a pair."""
    return Recipe(stage="judge", version=1, model=model, prompt=load("judge").digest, settings={})


class PairScores:
    """Scores of pairs, from the memo where they are known. Those of a shard are remembered
    together, or earlier if they wait for long: a query has one object."""

    def __init__(self, work: ObjectStore, memo: Memo, model: VisionLanguageModel) -> None:
        self._work, self._memo, self._model = work, memo, model
        self._prompt = load("judge")
        self._kept: dict[QueryKey, set[PairId]] = {}  # by query, what its object of the memo has
        self._scores: dict[PairId, float] = {}
        self._waiting: dict[QueryKey, list[PairScore]] = defaultdict(list)
        self._folded_at = time.monotonic()
        self._recipe = recipe(model.name).recipe_id

    def reading(self, pair: Pair, description: Description | None) -> Reading:
        """What the model reads. A product that could not be described is judged by its words in
        the feed; what happens in a video, or stands on a page, is read beside what is seen."""
        said = description.judged_text if description else pair.candidate.text
        if description and pair.candidate.kind != "caption":
            said = f"{said} {pair.candidate.text}"
        text = self._prompt.clean(said)
        judged = (self._recipe, pair.query.judged_text, pair.candidate.pixels, text)
        return Reading(pair=pair, text=text, judged_id=PairId(digest("pair", *judged)))

    def of(self, readings: Sequence[Reading], tally: Tally) -> dict[PairId, float | BadRecord]:
        """The score of each, 0 to 1, by ``judged_id``, or why there is none."""
        if not readings:
            return {}
        self._recall({reading.pair.query.query_key for reading in readings})
        new: dict[PairId, Reading] = {}
        for reading in readings:
            if reading.judged_id not in self._scores:
                new[reading.judged_id] = reading
        tally["calls_made"] += len(new)
        tally["calls_saved"] += len(readings) - len(new)
        failed = self._ask(list(new.values()))
        for reading in readings:
            if reading.judged_id not in failed:
                self._keep(reading)
        if time.monotonic() - self._folded_at > FOLD_SECONDS:
            self.fold()
        return {**self._scores, **failed}

    def _keep(self, reading: Reading) -> None:
        """Remember the score under this query, too: another may have been asked for it."""
        query, judged_id = reading.pair.query.query_key, reading.judged_id
        if judged_id not in self._kept[query]:
            self._kept[query].add(judged_id)
            score = PairScore(pair_id=judged_id, relevance=self._scores[judged_id])
            self._waiting[query].append(score)

    def fold(self) -> None:
        """Merge the scores that wait into their queries' objects of the memo."""
        _for_each(self._remember, list(self._waiting))
        self._waiting.clear()
        self._folded_at = time.monotonic()

    def _remember(self, query: QueryKey) -> None:
        self._memo.add_judgements(self._recipe, query, self._waiting[query])

    def _recall(self, queries: Collection[QueryKey]) -> None:
        """Read what is remembered of these queries, unless it was read before."""
        new = [query for query in queries if query not in self._kept]
        for query, scores in zip(new, _for_each(self._remembered, new), strict=True):
            self._kept[query] = set()
            for score in scores:
                judged_id = PairId(score.judged_id or score.pair_id)
                self._kept[query].add(judged_id)
                self._scores[judged_id] = score.relevance

    def _remembered(self, query: QueryKey) -> list[PairScore]:
        return self._memo.judgements(self._recipe, query)

    def _ask(self, readings: Sequence[Reading]) -> dict[PairId, BadRecord]:
        """Keep the model's scores; returns the pairs for which there is none."""
        failures: dict[PairId, BadRecord] = {}
        questions: dict[PairId, Question] = {}
        for reading, picture in zip(readings, self._pictures(readings), strict=True):
            if isinstance(picture, BadRecord):
                failures[reading.judged_id] = picture
            else:
                questions[reading.judged_id] = self._question(reading, picture)
        for judged_id, score in zip(questions, self._weigh(list(questions.values())), strict=True):
            if isinstance(score, BadRecord):
                failures[judged_id] = score
            else:
                self._scores[judged_id] = score
        return failures

    def _question(self, reading: Reading, picture: bytes) -> Question:
        query = reading.pair.query.judged_text
        return Question(
            system=self._prompt.system,
            text=self._prompt.text(description=reading.text, query=query),
            frames=(Frame(jpeg=picture),),
        )

    def _pictures(self, readings: Sequence[Reading]) -> Iterator[bytes | BadRecord]:
        """Normalised pictures in order, read from the store while earlier ones are used."""
        pixels = [reading.pair.candidate.pixels for reading in readings]
        return ahead(self._picture, pixels, workers=READERS, window=4 * READERS)

    def _picture(self, pixels: PixelsId) -> bytes | BadRecord:
        key = pixels_key(pixels)
        missing = PixelsMissing(f"{key} is missing: the next catalog_refresh writes it again.")
        return self._work.get(key) or missing

    def _weigh(self, questions: Sequence[Question]) -> list[float | BadRecord]:
        if not questions:
            return []
        try:
            weights = self._model.weigh(questions, self._prompt.labels or ("yes", "no"))
        except MMSearchError:
            self.fold()  # an engine that goes away must not take with it what it said before
            raise
        return [_checked(said) for said in weights]


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
