"""judge: Qwen3-VL holds each candidate's picture and description against the query."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmsearch_core.answers import to_description
from mmsearch_core.errors import BadRecord
from mmsearch_core.ports import Memo, ObjectStore, VisionLanguageModel
from mmsearch_core.prompts import Prompt, load
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import PairId, QueryKey, RecipeId, SegmentId, digest
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.question import Question
from mmsearch_core.records.ranking import Candidate, Judgement
from mmsearch_core.records.run import Recipe
from mmsearch_core.shards import Outcome, Shard, Stage, Tally
from mmsearch_core.stages import canary
from mmsearch_core.stages.embed_image import pictures

RELEVANT = 0.5
FOLD = 1000  # judgements that wait to be remembered: what a death may cost. Pairs are sorted by picture, so that every
# batch touches other queries, and to remember a judgement rewrites its query's object


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A candidate and the query it was found for."""

    query: StandardQuery
    candidate: Candidate


def recipe(model: str) -> Recipe:
    """What decides a judgement."""
    return Recipe(stage="judge", version=1, model=model, prompt=load("judge").digest, settings={})


def stage(*, work: ObjectStore, memo: Memo, model: VisionLanguageModel, describe: RecipeId, batch: int) -> Stage[Pair]:
    """Judge each pair once, ever: the query's memo object holds what was judged before.

    ``describe`` is the recipe under which the candidates' descriptions are found in the memo.
    """
    judge = Judge(work, memo, model, describe)
    return Stage(
        recipe=judge.recipe,
        reads={"standard": "standardize", "candidates": "retrieve"},
        writes={"judgements": Judgement},
        items=_pairs,
        id_of=lambda pair: f"{pair.query.query_key}/{pair.candidate.product_id}",
        work=judge.run,
        batch=batch,
        finish=judge.fold,
        canary=lambda: canary.of_judging(model),
    )


class Judge:
    """Judges batches of pairs, and remembers: some when many wait, all when it is told to fold."""

    def __init__(self, work: ObjectStore, memo: Memo, model: VisionLanguageModel, describe: RecipeId) -> None:
        self._work, self._memo, self._model, self._describe = work, memo, model, describe
        self._prompt = load("judge")
        self._known: dict[QueryKey, dict[PairId, Judgement]] = {}
        self._waiting: list[Judgement] = []
        self.recipe = recipe(model.name)

    def run(self, pairs: Sequence[Pair], tally: Tally) -> list[Outcome]:
        """One judgement a pair."""
        said = self._memo.get_many(self._describe, list({pair.candidate.pixels for pair in pairs}))
        descriptions = {pixels: to_description(answer, SegmentId("")) for pixels, answer in said.items()}
        texts = [judged_text(pair.candidate, descriptions) for pair in pairs]
        ids = [pair_id(pair, text, self.recipe.recipe_id) for pair, text in zip(pairs, texts, strict=True)]
        new = [place for place, pair in enumerate(pairs) if ids[place] not in self._remembered(pair.query.query_key)]
        tally["calls_made"] += len(new)
        tally["calls_saved"] += len(pairs) - len(new)
        shown = pictures(self._work, [pairs[place].candidate.pixels for place in new])
        questions = [
            _question(self._prompt, pairs[place], texts[place], picture)
            for place, picture in zip(new, shown, strict=True)
        ]
        labels = self._prompt.labels or ("yes", "no")
        scores = dict(zip(new, self._model.choose(questions, labels) if questions else [], strict=True))
        made = {
            place: self._judgement(pairs[place], ids[place], score, descriptions)
            for place, score in scores.items()
            if not isinstance(score, BadRecord)
        }
        for judgement in made.values():
            self._known[judgement.query_key][judgement.pair_id] = judgement
        self._waiting += made.values()
        if len(self._waiting) >= FOLD:
            self.fold()
        return [self._outcome(place, pair, ids[place], scores) for place, pair in enumerate(pairs)]

    def fold(self) -> None:
        """Merge what was judged into the queries' objects of the memo."""
        by_query: dict[QueryKey, list[Judgement]] = defaultdict(list)
        for judgement in self._waiting:
            by_query[judgement.query_key].append(judgement)
        for query, judgements in by_query.items():
            self._memo.add_judgements(self.recipe.recipe_id, query, judgements)
        self._waiting = []

    def _remembered(self, query: QueryKey) -> dict[PairId, Judgement]:
        if query not in self._known:
            judgements = self._memo.judgements(self.recipe.recipe_id, query)
            self._known[query] = {judgement.pair_id: judgement for judgement in judgements}
        return self._known[query]

    def _outcome(self, place: int, pair: Pair, name: PairId, scores: Mapping[int, float | BadRecord]) -> Outcome:
        score = scores.get(place)
        return score if isinstance(score, BadRecord) else [self._known[pair.query.query_key][name]]

    def _judgement(self, pair: Pair, name: PairId, score: float, descriptions: Mapping[str, Description]) -> Judgement:
        return Judgement(
            pair_id=name,
            query_key=pair.query.query_key,
            product_id=pair.candidate.product_id,
            segment_id=pair.candidate.segment_id,
            relevance=round(score, 6),
            verdict="相关" if score >= RELEVANT else "不相关",
            reason=reason(pair.query, descriptions.get(pair.candidate.pixels)),
            judge=f"{self._model.name} {self._prompt.digest[:12]}",
        )


def judged_text(candidate: Candidate, descriptions: Mapping[str, Description]) -> str:
    """The description as the judge reads it; a product that could not be described is judged by its words."""
    description = descriptions.get(candidate.pixels)
    return description.judged_text if description else candidate.text


def pair_id(pair: Pair, text: str, judge: RecipeId) -> PairId:
    """All that a judgement depends on."""
    return PairId(digest("pair", judge, pair.query.judged_text, pair.candidate.pixels, text))


def reason(query: StandardQuery, description: Description | None) -> str:
    """Where the description meets the query's constraints, and where not; found by comparing, not by the model."""
    if description is None:
        return "not described"
    parts = []
    for constraint in query.constraints:
        seen = description.attributes.get(constraint.attribute)
        met = (seen in constraint.values) != constraint.exclude
        wanted = "" if met else f", wanted {str(constraint).partition(': ')[2]}"
        parts.append(f"{constraint.attribute} is {seen or 'unknown'}{wanted}")
    return "; ".join(parts)


def _pairs(shard: Shard) -> list[Pair]:
    """Neighbours share a picture, so that an engine's caches hit."""
    queries = {query.query_key: query for query in shard.read("standard", StandardQuery)}
    candidates = sorted(shard.read("candidates", Candidate), key=lambda found: (found.pixels, found.query_key))
    return [Pair(query=queries[found.query_key], candidate=found) for found in candidates]


def _question(prompt: Prompt, pair: Pair, text: str, picture: bytes) -> Question:
    return Question(
        system=prompt.system,
        text=prompt.text(description=text, query=pair.query.judged_text),
        picture=picture,
    )
