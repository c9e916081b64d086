"""Another model: its index is built and kept current beside, measured on the same queries, then
searched; and back."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from mmsearch_core.cli.index import retire
from mmsearch_core.errors import BadRecord, StageMissing
from mmsearch_core.records.ids import TargetId
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.report import CloseReport
from mmsearch_core.settings import Settings
from mmsearch_core.stages.hints import compare
from mmsearch_core.stages.index import upsert
from mmsearch_core.stages.index.switch import Measured, hindrance, paired_randomization, remember
from mmsearch_core.testing.fake_models import FakeEmbedder
from mmsearch_core.wiring.batches import Runtime
from tasks import compare as compare_task
from tests.line import (
    at_another_milvus,
    commands_see,
    fake_runtime,
    feed,
    index,
    index_batch,
    picture,
    with_knobs,
)

NEXT = {"sbert": "next"}
QUERIES = 40


class Named(FakeEmbedder):
    """SBERT of another name."""

    def __init__(self) -> None:
        super().__init__("sbert")
        self.name = "fake-sbert-next"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Indexed, with another SBERT beside."""
    plain = Runtime.with_models

    def with_models(runtime: Runtime, models: Mapping[str, str]) -> Runtime:
        other = plain(runtime, models)
        if models.get("sbert") == "next":
            other = other.having(sbert=Named())
        return other

    monkeypatch.setattr(Runtime, "with_models", with_models)
    runtime = fake_runtime(beside=NEXT)
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    runtime.catalog.put("pictures/p1/1.jpg", picture("red"))
    runtime.catalog.put("pictures/p2/1.jpg", picture("blue"))
    index(runtime)
    refresh_beside(runtime, "run-1")
    return runtime


def refresh_beside(runtime: Runtime, run: str) -> list[CloseReport]:
    return [
        index_batch(runtime, batch) for batch in compare_task.work(runtime, run, beside=1).batches
    ]


def exchanged(runtime: Runtime) -> Runtime:
    """As after the two sections of the settings were exchanged."""
    other = runtime.with_models(NEXT)
    models = {"models": {"sbert": "next"}, "beside": {"sbert": runtime.settings.models.sbert}}
    return other.having(settings=Settings.model_validate(models))


def searched(runtime: Runtime) -> str:
    return str(runtime.index.resolve(runtime.settings.index.alias))


def rows(runtime: Runtime) -> Counter[str]:
    """Rows by collection."""
    return Counter(
        {
            it.collection: len(list(runtime.index.builds(it.collection)))
            for it in runtime.ledger.targets()
        }
    )


def measure(runtime: Runtime, target: TargetId, ndcg: float, queries: str = "judged") -> None:
    """As `mmsearch evaluate` would."""
    found = {str(number): ndcg + number % 3 / 100 for number in range(QUERIES)}
    remember(runtime.work, target, Measured(collection="c", queries=queries, ndcg=found))


def test_the_index_beside_is_built_and_kept_current_and_is_not_searched(shop: Runtime) -> None:
    live, beside = shop.target(), shop.with_models(NEXT).target()
    assert searched(shop) == live.collection
    assert rows(shop) == {live.collection: 2, beside.collection: 2}
    shop.catalog.delete("pictures/p1/1.jpg")
    shop.catalog.put("pictures/p2/2.jpg", picture("green"))
    shop.catalog.put("pictures/p2/3.jpg", picture("red"))
    index(shop, "run-2")
    asked = shop.vlm.calls  # type: ignore[attr-defined]
    refresh_beside(shop, "run-2")
    assert rows(shop) == {live.collection: 3, beside.collection: 3}
    assert shop.vlm.calls == asked  # type: ignore[attr-defined] # the memo knows what does not depend on the model
    assert searched(shop) == live.collection
    assert refresh_beside(shop, "run-3") == []


def test_without_other_models_nothing_is_kept_beside() -> None:
    runtime = fake_runtime()
    assert compare_task.work(runtime, "run-1", beside=1).batches == ()
    assert runtime.ledger.targets() == []


def test_the_settings_are_exchanged_and_back_again(shop: Runtime) -> None:
    """Where nothing was measured there is nothing to be worse than."""
    before, other = searched(shop), exchanged(shop)
    assert index(other, "run-2") == []
    assert searched(shop) == other.target().collection != before
    assert index(shop, "run-3") == []
    assert searched(shop) == before


@pytest.mark.parametrize(
    ("figures", "switches"),
    [
        ({}, True),
        ({"old": 0.6}, False),  # the new one is not measured
        ({"old": 0.6, "new": 0.7}, True),
        ({"old": 0.6, "new": 0.6}, True),
        ({"old": 0.6, "new": 0.5}, False),
    ],
)
def test_an_index_that_was_measured_gives_way_to_one_that_is_no_worse(
    shop: Runtime, figures: dict[str, float], switches: bool
) -> None:
    other, before = exchanged(shop), searched(shop)
    for name, runtime in (("old", shop), ("new", other)):
        if name in figures:
            measure(runtime, runtime.target().target_id, figures[name])
    report = compare_task.work(other, "run-2")
    assert bool(report.switch_waits) != switches
    assert searched(shop) == (other.target().collection if switches else before)


def test_the_way_back_needs_no_measure_and_a_person_may_insist(shop: Runtime) -> None:
    other, first = exchanged(shop), searched(shop)
    measure(shop, shop.target().target_id, 0.5)
    measure(other, other.target().target_id, 0.7)
    index(other, "run-2")
    assert searched(shop) != first
    index(shop, "run-3")  # worse, but it was searched before
    assert searched(shop) == first
    clip = FakeEmbedder("clip")
    clip.name = "another"
    third = with_knobs(shop, index={"switch": "at_once"}).having(clip=clip)
    index(third, "run-4")
    assert searched(shop) == third.target().collection


def test_what_stands_in_the_way_is_said(shop: Runtime) -> None:
    live, new = shop.target(), shop.with_models(NEXT).target()
    measure(shop, live.target_id, 0.6)
    assert "mmsearch evaluate" in hindrance(shop.work, live, new)
    measure(shop, new.target_id, 0.9, queries="other queries")
    assert "mmsearch evaluate" in hindrance(shop.work, live, new)
    measure(shop, new.target_id, 0.5)
    assert "0.510 instead of 0.610" in hindrance(shop.work, live, new)


def test_chance_is_told_from_a_difference() -> None:
    assert paired_randomization([0.5, 0.7] * 20, [0.7, 0.5] * 20) > 0.5
    assert paired_randomization([0.5, 0.6] * 20, [0.6, 0.7] * 20) < 0.001


def test_a_comparison_for_other_models_switches_nothing(shop: Runtime) -> None:
    other = shop.with_models(NEXT)
    compare.run(
        run_id="x", target=other.target(), stores=shop.stores, settings=shop.settings, models=NEXT
    )
    assert searched(shop) == shop.target().collection


def test_an_index_of_another_shape_takes_the_place_of_the_old_one_unmeasured(
    shop: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is built from what was said before, without a model call, and searches go to the old one
    until it is whole."""
    old = shop.target()
    measure(shop, old.target_id, 0.6)
    before = calls(shop)
    of_another_shape = Recipe(stage="upsert", version=99, settings={})
    monkeypatch.setattr(upsert, "recipes", lambda kinds: dict.fromkeys(kinds, of_another_shape))
    shop = shop.having()
    (batch,) = compare_task.work(shop, "after the upgrade").batches
    assert searched(shop) == old.collection
    assert shop.live_target() == replace(old, status="live")
    (vector,) = shop.clip.embed(["red"])
    assert not isinstance(vector, BadRecord)
    assert shop.index.search(old.collection, "clip", [vector], 1)[0]
    index_batch(shop, batch)
    assert searched(shop) == shop.target().collection != old.collection
    assert calls(shop) == before + Counter({"clip": 1}), "for the search"
    assert rows(shop)[old.collection] == rows(shop)[searched(shop)]


def calls(runtime: Runtime) -> Counter[str]:
    models: dict[str, Any] = {
        "vlm": runtime.vlm,
        "clip": runtime.clip,
        "sbert": runtime.sbert,
    }
    return Counter({name: model.calls for name, model in models.items()})


def test_an_index_is_retired_by_nobody_who_uses_another_milvus(
    shop: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its collection would stay where it is, and nobody would know of it. One that was lost may
    go."""
    other = shop.with_models(NEXT).target()
    commands_see(at_another_milvus(shop), monkeypatch)
    with pytest.raises(StageMissing, match=r"is missing from http.*correct index\.uri"):
        retire(other.collection)
    assert other in shop.ledger.targets()
    shop.index.drop(other.collection)
    commands_see(shop, monkeypatch)
    retire(other.collection)
    assert [target.collection for target in shop.ledger.targets()] == [searched(shop)]
