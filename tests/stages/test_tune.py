"""Weights of the legs, found on judged queries."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmsearch_core.cli.app import app
from mmsearch_core.errors import BadSettings
from mmsearch_core.settings import LEGS, Search
from mmsearch_core.stages.search import tune
from mmsearch_core.stages.search.judged_queries import read_judged
from mmsearch_core.wiring.batches import Runtime
from tests.line import commands_see, fake_runtime, feed, index, picture, with_knobs
from tests.stages.test_evaluate import folder

OTHER = {"red": "green", "green": "blue", "blue": "red"}
EACH = 8  # products and queries of a color


@pytest.fixture(scope="module")
def shop() -> Runtime:
    """A shop whose titles speak of another color than its pictures show: words mislead."""
    runtime = fake_runtime(search={"buckets": 16, "candidates": 10})
    titles = {}
    for color, other in OTHER.items():
        for number in range(EACH):
            name = f"{color[0]}{number}"
            runtime.catalog.put(f"pictures/{name}/1.jpg", picture(color, size=40 + number))
            titles[name] = f"{other} {other} {other} dress"
    feed(runtime, titles)
    index(runtime)
    return runtime


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    queries, grades = [], {}
    for color in OTHER:
        for number in range(EACH):
            name = f"{color}-{number}"
            queries.append({"query_id": name, "locale": "en", "text": f"{color} dress {number}"})
            grades[name] = [f"{color[0]}{place}" for place in range(EACH)]
    return folder(tmp_path, queries, grades)


def test_a_leg_that_misleads_weighs_less(shop: Runtime, judged: Path) -> None:
    report = tune.run(read_judged(judged), shop.line())
    assert report.queries == 3 * EACH
    assert report.weights["bm25_en"] < max(report.weights.values())
    assert report.before < report.after
    assert report.before < report.held_out
    assert report.is_better
    again = with_knobs(
        shop, search={"buckets": 16, "candidates": 10, "weights": dict(report.weights)}
    )
    second = tune.run(read_judged(judged), again.line())
    assert second.before == report.after
    assert second.weights == report.weights
    assert not second.is_better


def test_weights_are_printed_as_lines_of_the_settings(
    shop: Runtime, judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands_see(shop, monkeypatch)
    done = CliRunner().invoke(app, ["tune", str(judged)])
    assert done.exception is None
    told, _, section = done.stdout.partition("[search.weights]\n")
    assert told.endswith("# better, and that is no chance\n")
    weights = tomllib.loads(section)
    assert list(weights) == list(LEGS)
    assert Search(weights=weights).weights == weights


def test_too_few_queries_tell_nothing(shop: Runtime, judged: Path) -> None:
    with pytest.raises(BadSettings, match="weights need 20: judge more"):
        tune.run(read_judged(judged)[:19], shop.line())


def test_a_leg_that_weighs_nothing_finds_nothing(shop: Runtime) -> None:
    recipes = set()
    for weights in ({}, {"clip": 1.0}, {"clip": 0.0}):
        knobs = with_knobs(shop, search={"weights": weights})
        recipes.add(knobs.search_recipes["retrieve"])
    assert len(recipes) == 2  # what weighs 1 is what is not named


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"colour": 1}, "there is no leg colour, only clip, sbert"),
        (dict.fromkeys(("clip", "sbert", "bm25_en", "bm25_zh"), 0), "more than 0"),
        ({"clip": -1}, "greater than or equal to 0"),
        ({"clip": float("nan")}, "than or equal to"),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(weights: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Search(weights=weights)
