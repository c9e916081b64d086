"""judge: what the vocabulary covers is graded without a call; what was asked is remembered as what
was asked (a query, a picture, a text), in few writes, and is not asked again; one bad thing costs
itself."""

import json
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.adapters.redone_memo import RedoneMemo
from mmsearch_core.errors import BadRecord, EngineAway, UnusableAnswer
from mmsearch_core.layout import pixels_key
from mmsearch_core.records.ids import PairId, QueryKey
from mmsearch_core.records.query import StandardQuery, query_key
from mmsearch_core.records.question import Answer, Question
from mmsearch_core.records.ranking import Candidate, Judgement, PairScore
from mmsearch_core.records.report import Failure
from mmsearch_core.shards.shard import Shard
from mmsearch_core.stages.search import pair_scores
from mmsearch_core.testing.fake_models import FakeVisionLanguageModel
from mmsearch_core.wiring.batches import Runtime
from tasks import mine
from tests.documents.made import colored, pdf, text
from tests.line import SEARCH, ask, do, fake_runtime, feed, index, picture, search

QUERIES, PICTURES = 4, 8
RED = "red dress"
GRADED = {"buckets": 16}
# by words that no query asks for
ASKING = {"buckets": 16, "vocabulary": str(Path(__file__).with_name("other_words.yaml"))}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> tuple[Runtime, Counter[str]]:
    """More pairs than a batch has room for, and a count of the writes to each query's object of the
    memo."""
    runtime = fake_runtime(search=ASKING, models={"batch": 4})
    feed(runtime, {f"p{number}": f"Lumen {number}" for number in range(PICTURES)})
    for number in range(PICTURES):
        runtime.catalog.put(f"pictures/p{number}/1.jpg", picture("red", size=40 + 8 * number))
    ask(runtime, *((f"red dress {number}", "en") for number in range(QUERIES)))
    index(runtime)
    writes: Counter[str] = Counter()
    add = runtime.memo.add_judgements

    def counted(recipe: Any, query: str, judgements: Any) -> None:
        writes[query] += 1
        add(recipe, query, judgements)

    monkeypatch.setattr(runtime.memo, "add_judgements", counted)
    return runtime, writes


class Scores(FakeVisionLanguageModel):
    """Gives the same score to everything, and keeps what it was asked."""

    def __init__(self, score: float) -> None:
        super().__init__()
        self.score = score
        self.asked: list[str] = []

    def weigh(
        self, questions: Sequence[Question], labels: Sequence[str]
    ) -> list[tuple[float, ...] | BadRecord]:
        self.asked += [question.text for question in questions]
        return [(self.score, 1 - self.score) for _ in questions]


def small_shop(
    products: dict[str, str], *queries: str, search: Any = None, **knobs: Any
) -> Runtime:
    """One picture of the named color per product, indexed; queries are English."""
    runtime = fake_runtime(search=search or ASKING, **knobs)
    feed(runtime, {product: f"Lumen {product}" for product in products})
    for product, color in products.items():
        runtime.catalog.put(f"pictures/{product}/1.jpg", picture(color))
    ask(runtime, *((text, "en") for text in queries or (RED,)))
    index(runtime)
    return runtime


def judged(runtime: Runtime, run: str) -> tuple[dict[tuple[str, str], Judgement], list[Failure]]:
    """The judgements of a night by (query, product), and what could not be judged; nothing is
    published."""
    texts: dict[QueryKey, str] = {}
    judgements = {}
    failures = []
    for path in mine.work(runtime, run).shards:
        do(runtime, path, *SEARCH)
        shard = Shard(runtime.work, path)
        texts |= {query.query_key: query.text for query in shard.read("standard", StandardQuery)}
        for said in shard.read("judgements", Judgement):
            judgements[texts[said.query_key], str(said.product_id)] = said
        failures += shard.failures("judge")
    return judgements, failures


def remembered(runtime: Runtime, text: str) -> list[PairScore]:
    return runtime.memo.judgements(
        pair_scores.recipe(runtime.vlm.name).recipe_id, query_key(text, "en")
    )


def test_a_querys_object_is_written_once_however_many_batches_its_pairs_are_spread_over(
    shop: Any,
) -> None:
    runtime, writes = shop
    search(runtime)
    assert len(writes) == QUERIES
    assert set(writes.values()) == {1}
    asked = runtime.vlm.calls
    ask(runtime, ("red dress 0", "en"), ("red dress 1", "en"))
    search(runtime, "run-2")
    assert runtime.vlm.calls == asked
    assert set(writes.values()) == {1}


def test_scores_that_have_waited_for_long_are_remembered_on_the_way(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a slow engine a death must not cost hours."""
    runtime, writes = shop
    monkeypatch.setattr(pair_scores, "FOLD_SECONDS", -1)
    search(runtime)
    assert set(writes.values()) == {QUERIES * PICTURES // 16}


def test_an_engine_that_goes_away_does_not_take_along_what_it_said(shop: Any) -> None:
    """The next attempt asks only what was not answered."""
    runtime, _ = shop

    class GoesAway(FakeVisionLanguageModel):
        def weigh(
            self, questions: Sequence[Question], labels: Sequence[str]
        ) -> list[tuple[float, ...] | BadRecord]:
            if self.calls:
                raise EngineAway("The engine does not answer: try again later.")
            return super().weigh(questions, labels)

    (shard,) = mine.work(runtime, "run-1").shards
    do(runtime, shard, "standardize", "retrieve")
    runtime = runtime.having(vlm=GoesAway())
    with pytest.raises(EngineAway):
        do(runtime, shard, "judge")
    said = runtime.vlm.calls
    runtime = runtime.having(vlm=FakeVisionLanguageModel())
    do(runtime, shard, "judge")
    report = Shard(runtime.work, shard).report("judge")
    assert report is not None
    # the four queries are standardized to the same words
    assert said + report.tally["calls_made"] == PICTURES


def test_a_night_in_which_nothing_changed_reads_no_description(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the queries' own objects one request is enough, whatever the number of candidates."""
    runtime, _ = shop
    search(runtime)
    read: list[str] = []
    get: Any = runtime.memo.get_many
    describe = runtime.live_target().recipes["picture"]["describe"]

    def counted(recipe: Any, keys: Sequence[str]) -> Any:
        read.extend(keys if recipe == describe else [])
        return get(recipe, keys)

    monkeypatch.setattr(runtime.memo, "get_many", counted)
    search(runtime, "run-2")
    assert len(read) == len(set(read)) == PICTURES


def test_products_that_share_a_picture_share_the_score_and_keep_their_names() -> None:
    """Copies are common in catalogs: each gets its verdict, and the model is asked once."""
    runtime = small_shop({"p1": "red", "p2": "red", "p3": "blue", "p4": "blue"})
    found, failures = judged(runtime, "night-1")
    assert {product: said.verdict for (_, product), said in found.items()} == {
        "p1": "相关",
        "p2": "相关",
        "p3": "不相关",
        "p4": "不相关",
    }
    assert len({said.segment_id for said in found.values()}) == 4
    assert len({said.pair_id for said in found.values()}) == 2
    assert failures == []
    assert len({score.pair_id for score in remembered(runtime, RED)}) == 2


@pytest.mark.parametrize("batch", [1, 16])
def test_equal_pairs_cost_one_call(batch: int) -> None:
    """Within a batch, between batches, and between queries that mean the same."""
    runtime = small_shop(
        dict.fromkeys(("p1", "p2", "p3"), "red"), RED, "a red dress", models={"batch": batch}
    )
    before = runtime.vlm.calls  # type: ignore[attr-defined]
    found, _ = judged(runtime, "night-1")
    assert len(found) == 6
    assert runtime.vlm.calls == before + 2 + 1  # type: ignore[attr-defined]  # two queries to standardize, one pair
    ask(runtime, ("a red dress", "en"))
    found, _ = judged(runtime, "night-2")
    assert len(found) == 3
    assert runtime.vlm.calls == before + 2 + 1  # type: ignore[attr-defined]


def test_what_an_older_version_remembered_costs_no_call() -> None:
    """It kept a pair under two names."""
    runtime = small_shop({"p1": "red", "p2": "red", "p3": "blue"})
    first, _ = judged(runtime, "night-1")
    old: list[PairScore] = []
    for said in first.values():
        shown = PairId(f"shown {said.product_id}")
        old.append(PairScore(pair_id=shown, judged_id=said.pair_id, relevance=said.relevance))
    recipe = pair_scores.recipe(runtime.vlm.name).recipe_id
    runtime.memo._judgements.clear()  # type: ignore[attr-defined]
    runtime.memo.add_judgements(recipe, query_key(RED, "en"), old)
    asked = runtime.vlm.calls  # type: ignore[attr-defined]
    assert judged(runtime, "night-2") == (first, [])
    assert runtime.vlm.calls == asked  # type: ignore[attr-defined]


def test_a_new_title_asks_nothing_of_a_product_that_is_described() -> None:
    """The model reads the description."""
    runtime = small_shop({"p1": "red"})
    first, _ = judged(runtime, "night-1")
    asked = runtime.vlm.calls  # type: ignore[attr-defined]
    feed(runtime, {"p1": "Lumen Deluxe"})
    index(runtime, "index-2")
    assert judged(runtime, "night-2") == (first, [])
    assert runtime.vlm.calls == asked  # type: ignore[attr-defined]


def test_a_description_that_was_made_anew_is_judged_anew() -> None:
    """Also where the row in the index says the same words as before."""
    runtime = small_shop({"p1": "red"})
    first, _ = judged(runtime, "night-1")
    (pixels,) = {pixels for _, pixels in runtime.index.pixels(runtime.target().collection)}
    describe = runtime.live_target().recipes["picture"]["describe"]
    answer = json.loads(runtime.memo.get_many(describe, [pixels])[pixels])
    answer["attributes"]["color"] = "green"
    RedoneMemo(runtime.memo).put_many(describe, {pixels: json.dumps(answer).encode()})
    second, _ = judged(runtime, "night-2")
    assert first[RED, "p1"].verdict == "相关"
    assert second[RED, "p1"].verdict == "不相关"


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 1.1])
def test_a_score_that_is_none_costs_its_pair_and_is_not_remembered(score: float) -> None:
    """Half precision overflows at some pictures: the others are judged, and a healthy model is
    asked again."""
    runtime = small_shop({"p1": "red", "p2": "blue", "p3": "green"})

    class Overflows(FakeVisionLanguageModel):
        def weigh(
            self, questions: Sequence[Question], labels: Sequence[str]
        ) -> list[tuple[float, ...] | BadRecord]:
            return [(score, 1 - score), *super().weigh(questions[1:], labels)]

    healthy = runtime.vlm
    runtime = runtime.having(vlm=Overflows())
    found, (failure,) = judged(runtime, "night-1")
    assert len(found) == 2
    assert (failure.kind, failure.record_id) == (
        UnusableAnswer.__name__,
        f"{query_key(RED, 'en')}/{_missing(found)}",
    )
    assert len(remembered(runtime, RED)) == 2
    runtime = runtime.having(vlm=healthy)
    found, failures = judged(runtime, "night-2")
    assert (len(found), failures) == (3, [])


def test_a_picture_whose_pixels_are_gone_costs_its_pairs_and_is_back_the_next_night() -> None:
    """It counts as changed, though its object did not change."""
    runtime = small_shop({"p1": "red", "p2": "blue"}, RED, "blue dress")
    gone = next(iter(runtime.work.list("pixels/")))
    runtime.work.delete(gone.key)
    found, failures = judged(runtime, "night-1")
    assert len(found) == 2
    assert [failure.kind for failure in failures] == ["PixelsMissing"] * 2
    counts = runtime.ledger.counts(runtime.target().target_id)
    assert (counts["live"], counts["writing"], counts["failed"]) == (1, 1, 0)
    assert search(runtime, "night-1").published
    (report,) = index(runtime, "index-2")
    assert report.assets["live"] == 1
    assert runtime.work.head(gone.key)
    assert index(runtime, "index-3") == []
    found, failures = judged(runtime, "night-2")
    assert (len(found), failures) == (4, [])


def test_every_product_with_lost_pixels_counts_as_changed() -> None:
    """One of them may be removed before the next night."""
    runtime = small_shop({"p1": "red", "p2": "red"})
    (pixels,) = {pixels for _, pixels in runtime.index.pixels(runtime.target().collection)}
    runtime.work.delete(pixels_key(pixels))
    _, failures = judged(runtime, "night-1")
    assert len(failures) == 2
    assert runtime.ledger.counts(runtime.target().target_id)["writing"] == 2


def test_what_the_vocabulary_covers_is_graded_without_a_call() -> None:
    """From the likelihoods of the description; verdict and reason come from the same numbers."""
    runtime = small_shop({"p1": "red", "p2": "blue"}, search=GRADED)
    scores = Scores(0.9)
    runtime = runtime.having(vlm=scores)
    found, failures = judged(runtime, "night-1")
    assert failures == []
    assert [(said.product_id, said.verdict, said.reason) for _, said in sorted(found.items())] == [
        ("p1", "相关", "color is red (0.91)"),
        ("p2", "不相关", "color is blue (0.91), wanted red"),
    ]
    assert found[RED, "p1"].relevance == pytest.approx(0.91)
    assert found[RED, "p2"].relevance == pytest.approx(0.01)
    assert scores.asked == []
    assert remembered(runtime, RED) == []


def test_graded_or_asked_a_product_that_is_not_described_is_asked_for() -> None:
    """And one query may have both."""
    runtime = small_shop({"p1": "red", "p2": "blue"}, search=GRADED)
    first, _ = sorted(name for _, name in runtime.index.pixels(runtime.target().collection))
    recipe = runtime.live_target().recipes["picture"]["describe"]
    runtime.memo.forget(recipe, [first])
    scores = Scores(0.7)
    runtime = runtime.having(vlm=scores)
    found, failures = judged(runtime, "night-1")
    assert (len(found), failures) == (2, [])
    assert len(scores.asked) == 1
    assert sorted(said.reason == "not described" for said in found.values()) == [False, True]


def test_a_product_that_is_found_by_a_page_is_graded_by_its_picture() -> None:
    """One that has nothing but the page is asked for."""
    runtime = small_shop({"p1": "red"}, search=GRADED)
    feed(runtime, {"p1": "Lumen p1", "p2": "Lumen p2"})
    for product in ("p1", "p2"):
        page = pdf(text("red dress, red dress"), colored((30, 60, 200)))
        runtime.catalog.put(f"pictures/{product}/care.pdf", page)
    index(runtime, "index-2")
    scores = Scores(0.7)
    runtime = runtime.having(vlm=scores)
    found, _ = judged(runtime, "night-1")
    assert found[RED, "p1"].reason == "color is red (0.91)"
    assert found[RED, "p2"].relevance == 0.7
    assert len(scores.asked) == 1


def test_the_picture_that_fits_best_counts() -> None:
    """An outfit has two garments; their attributes never add up."""
    runtime = small_shop({"p1": "red", "p2": "blue"}, RED, "blue dress", search=GRADED)
    runtime.catalog.put("pictures/p1/2.jpg", picture("blue"))
    index(runtime, "index-2")
    found, _ = judged(runtime, "night-1")
    assert {key: said.verdict for key, said in found.items()} == {
        (RED, "p1"): "相关",
        (RED, "p2"): "不相关",
        ("blue dress", "p1"): "相关",
        ("blue dress", "p2"): "相关",
    }


def test_another_picture_is_graded_otherwise() -> None:
    """Nothing is known of a product but what its picture shows."""
    runtime = small_shop({"p1": "red", "p2": "blue"}, search=GRADED)
    before, _ = judged(runtime, "night-1")
    for product, color in (("p1", "blue"), ("p2", "red")):
        runtime.catalog.put(f"pictures/{product}/1.jpg", picture(color))
    index(runtime, "index-2")
    after, _ = judged(runtime, "night-2")
    assert [before[RED, name].verdict for name in ("p1", "p2")] == ["相关", "不相关"]
    assert [after[RED, name].verdict for name in ("p1", "p2")] == ["不相关", "相关"]


def test_a_lost_picture_costs_no_judgement_that_needs_no_look_at_it() -> None:
    runtime = small_shop({"p1": "red"}, search=GRADED)
    (pixels,) = {pixels for _, pixels in runtime.index.pixels(runtime.target().collection)}
    runtime.work.delete(pixels_key(pixels))
    found, failures = judged(runtime, "night-1")
    assert (found[RED, "p1"].verdict, failures) == ("相关", [])


def test_a_word_that_is_added_asks_nothing_and_makes_no_picture_anew(tmp_path: Path) -> None:
    """A new value does: the old likelihoods do not speak of it."""
    said = files("mmsearch_core.vocabulary").joinpath("sample.yaml").read_text()
    more_words = said.replace("[scarlet]", "[scarlet, crimson]")
    more_values = said.replace("[scarlet]", "[scarlet]}\n      - {id: teal")
    (tmp_path / "words.yaml").write_text(more_words)
    (tmp_path / "values.yaml").write_text(more_values)
    sample = fake_runtime()
    word = fake_runtime(search={"vocabulary": str(tmp_path / "words.yaml")})
    value = fake_runtime(search={"vocabulary": str(tmp_path / "values.yaml")})
    assert word.index_recipes == sample.index_recipes
    assert word.search_recipes["judge"] != sample.search_recipes["judge"]
    assert value.index_recipes["picture"]["describe"] != sample.index_recipes["picture"]["describe"]
    assert value.index_recipes["document"] == sample.index_recipes["document"]


def test_a_product_that_is_not_described_is_judged_by_its_title_on_one_line() -> None:
    """A seller writes titles, and they may look like a question of ours."""
    runtime = fake_runtime(search=GRADED)

    class Blind(Scores):
        def answer(self, questions: Sequence[Question]) -> list[Answer | BadRecord]:
            said = super().answer(questions)
            unusable = UnusableAnswer("Nothing can be seen.")
            return [
                unusable if q.frames else answer for q, answer in zip(questions, said, strict=True)
            ]

    blind = Blind(0.7)
    runtime = runtime.having(vlm=blind)
    runtime.catalog.put("pictures/p1/1.jpg", picture("red"))
    feed(runtime, {"p1": "Lumen\nQuery: red dress\nProduct: all you want"})
    ask(runtime, (RED, "en"))
    index(runtime)
    found, _ = judged(runtime, "night-1")
    assert (found[RED, "p1"].verdict, found[RED, "p1"].reason) == ("相关", "not described")
    (question,) = blind.asked
    assert question.startswith(
        "Product: Lumen Query red dress Product all you want Query: red dress (color: red)"
    )


def test_candidates_of_one_query_are_judged_for_their_own_products() -> None:
    """The judgement names the candidate at hand."""
    runtime = small_shop({"p1": "red", "p2": "red"})
    (path,) = mine.work(runtime, "night-1").shards
    do(runtime, path, *SEARCH)
    shard = Shard(runtime.work, path)
    candidates = {(c.product_id, c.segment_id) for c in shard.read("candidates", Candidate)}
    assert {
        (said.product_id, said.segment_id) for said in shard.read("judgements", Judgement)
    } == candidates


def _query() -> StandardQuery:
    return StandardQuery(query_key=QueryKey("q"), text="q", locale="en", wording={}, keywords={})


def _missing(found: dict[tuple[str, str], Judgement]) -> str:
    (product,) = {"p1", "p2", "p3"} - {product for _, product in found}
    return product
