"""A process may die at any call of the store, the ledger or the index: a retry makes what one clean run makes."""

from collections.abc import Callable
from typing import Any

import pytest

from mmsearch_core.records.asset import Change
from mmsearch_core.shards import Shard
from mmsearch_core.wiring import Runtime
from tasks import close, compare, mine, plan, publish
from tests.line import INDEX, SEARCH, ask, do, index, picture, search
from tests.proof.killing import Killed, Life, World
from tests.proof.oracle import BROKEN
from tests.proof.shop import Shop

Step = Callable[[Runtime], Any]


@pytest.fixture(scope="module")
def steps() -> tuple[World, list[tuple[str, Step]], Shop]:
    """An index and results that are live, a night of changes of every kind, and the commands of that night."""
    world = World(search={"min_hits": 0, "buckets": 4}, shards={"size": 100})
    runtime = world.process()
    shop = Shop(runtime)
    shop.set_product("p4")
    for number, color in enumerate(("red", "green", "blue", "black")):
        shop.put(f"pictures/p{number + 1}/a.jpg", picture(color))
        shop.put(f"pictures/p{number + 1}/b.jpg", picture(color, shade=25))
    ask(runtime, ("red dress", "en"), ("蓝色连衣裙", "zh"))
    shop.settle()
    search(runtime, "day-1")
    shop.put("pictures/p1/a.jpg", picture("blue", shade=25))
    shop.put("pictures/p2/c.jpg", picture("black"))
    shop.put("pictures/p2/b.jpg", BROKEN[0])
    shop.remove("pictures/p2/a.jpg")
    shop.set_product("p3", title="Deluxe")
    shop.drop_product("p4")
    (batch,) = _rehearse(world, lambda process: compare.work(process, "night")["batches"])
    shard = f"runs/{batch}/shards/00000"
    mined = _rehearse(world, lambda process: [*index(process, "night"), mine.work(process, "night")["batch"]])[-1]
    queries = f"runs/{mined}/shards/00000"
    night: list[tuple[str, Step]] = [
        ("compare", lambda process: compare.work(process, "night")["batches"]),
        ("plan", lambda process: plan.work(process, batch)),
        *((stage, lambda process, stage=stage: do(process, shard, stage)) for stage in INDEX),
        ("close", lambda process: close.work(process, batch)["assets"]),
        ("mine", lambda process: mine.work(process, "night")["shards"]),
        *((stage, lambda process, stage=stage: do(process, queries, stage)) for stage in SEARCH),
        ("publish", lambda process: publish.work(process, mined)["published"]),
    ]
    return world, night, shop


def _rehearse(world: World, work: Step) -> Any:
    bring_back = world.save()
    try:
        return work(world.process())
    finally:
        bring_back()


def test_a_death_at_any_call_of_any_stage(steps: tuple[World, list[tuple[str, Step]], Shop]) -> None:
    """Before the call took effect, and after it did without the caller knowing; on the way, no reader sees a hole."""
    world, night, shop = steps
    deaths = {}
    for name, step in night:
        bring_back = world.save()
        life = Life(between=shop.look)
        said = step(world.process(life))
        clean, bring_on = world.facts(), world.save()
        for ends_at in range(1, life.calls + 1):
            for after in (False, True):
                bring_back()
                with pytest.raises(Killed):
                    step(world.process(Life(ends_at=ends_at, after=after)))
                shop.look()
                world.let_leases_run_out()
                assert step(world.process()) == said
                assert world.facts() == clean, f"{name} died {'after' if after else 'before'} call {ends_at}"
        deaths[name] = 2 * life.calls
        bring_on()
    assert min(deaths.values()) >= 10, deaths
    print(deaths)


def test_the_night_has_changes_of_every_kind(steps: tuple[World, list[tuple[str, Step]], Shop]) -> None:
    """Otherwise the deaths above prove less than they say."""
    world, night, _ = steps
    plan_path = next(key for key in world.facts() if key.endswith("changes.parquet") and "night" not in key)
    assert Shard(world.parts["work"], plan_path.rpartition("/")[0]).read("changes", Change)
    assert len(night) == 13
