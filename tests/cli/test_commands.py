"""`mmsearch` and published results: what is shown, going back, holding, letting go."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from mmsearch_core.cli.app import COMMANDS, app
from mmsearch_core.errors import StageMissing
from mmsearch_core.wiring.batches import Runtime
from tests.line import commands_see
from tests.nights import QUERIES, current, forget_picture, make_older, night, shop


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Two nights, which every command sees."""
    runtime = shop()
    forget_picture(runtime, "black")
    night(runtime, "one")
    night(runtime, "two", QUERIES[:-1])
    commands_see(runtime, monkeypatch)
    return runtime


def mmsearch(*arguments: str) -> str:
    """What the command prints; its error is raised."""
    done = CliRunner().invoke(app, list(arguments))
    if done.exception:
        raise done.exception
    return done.stdout


def hold(runtime: Runtime) -> Any:
    return json.loads(mmsearch("status", "--json"))["results"]["hold"]


@pytest.mark.usefixtures("published")
def test_both_scores_of_a_hit_are_shown_and_a_hit_nobody_judged_has_no_relevance() -> None:
    found = json.loads(mmsearch("results", "red dress", "--json"))
    assert set(found["hits"][0]) == {"product_id", "relevance", "fused", "verdict", "evidence"}
    assert found["hits"][0]["relevance"] > 0.5
    assert found["hits"][-1]["relevance"] is None
    assert "relevance" in mmsearch("results", "red dress")
    live = json.loads(mmsearch("search", "red dress", "--json"))
    assert set(live["hits"][0]) == set(found["hits"][0])


def test_results_of_the_version_before_are_shown(published: Runtime) -> None:
    make_older(published)
    found = json.loads(mmsearch("results", "red dress", "--json"))
    assert (found["hits"][0]["fused"], found["hits"][-1]["relevance"]) == (None, None)
    assert "–" in mmsearch("results", "red dress")


def test_going_back_holding_and_letting_go(published: Runtime) -> None:
    newest = current(published)
    assert not hold(published)
    said = mmsearch("rollback")
    assert f"{current(published)} is current instead of {newest}, and held" in said
    assert hold(published)
    assert "until the next night" in mmsearch("release")
    assert not hold(published)
    assert f"{newest} is current" in mmsearch("rollback", newest)
    mmsearch("release")
    assert "mmsearch release" in mmsearch("hold")
    assert hold(published)
    released = json.loads(mmsearch("release", "--json"))
    assert (released["generation"], released["hold"]) == (current(published), False)


@pytest.mark.usefixtures("published")
def test_a_generation_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(StageMissing, match="There is no generation nonsense"):
        mmsearch("rollback", "nonsense")


def test_status_is_for_people_unless_json_is_asked_for(published: Runtime) -> None:
    """What is searched, what failed, what is published, and how the last runs went."""
    mmsearch("hold")
    said = mmsearch("status")
    target = published.target()
    assert f"{target.collection} (live): " in said
    assert f"results  {current(published)}, held" in said
    assert "last run of the index line  Good" in said
    assert json.loads(mmsearch("status", "--json"))["results"]["hold"]


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {"ledger"}))
def test_every_command_takes_json(command: str) -> None:
    assert "--json" in mmsearch(command, "--help")
    assert "--json" in mmsearch("ledger", "upgrade", "--help")
