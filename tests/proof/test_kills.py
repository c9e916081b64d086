"""A process may die at any call of the store, the ledger or the index: a retry makes what one clean
run makes."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from mmsearch_core.records.asset import Asset, Change, Removal, Withdrawal
from mmsearch_core.shards.shard import Shard
from mmsearch_core.wiring.batches import Runtime
from tasks import close, compare, mine, plan, publish
from tests.line import INDEX, SEARCH, ask, do, index, picture, search
from tests.proof.killing import Killed, Life, World
from tests.proof.oracle import BROKEN, DOCUMENTS, VIDEOS
from tests.proof.shop import Shop

Step = Callable[[Runtime], Any]


def a_night() -> tuple[World, list[tuple[str, Step]], Shop]:
    """An index and results that are live, a night of changes of every kind, and the commands of
    that night."""
    world = World(search={"buckets": 4}, shards={"size": 100})
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
    batch, mined = _rehearse(world)
    shard, queries = f"runs/{batch}/shards/00000", f"runs/{mined}/shards/00000"
    night: list[tuple[str, Step]] = [
        ("compare", lambda process: compare.work(process, "night").batches),
        ("plan", lambda process: plan.work(process, batch)),
        *_steps(INDEX, shard),
        ("close", lambda process: close.work(process, batch).assets),
        ("mine", lambda process: mine.work(process, "night").shards),
        *_steps(SEARCH, queries),
        ("publish", lambda process: publish.work(process, mined).published),
    ]
    return world, night, shop


def _steps(stages: Iterable[str], shard: str) -> list[tuple[str, Step]]:
    """These stages of one shard, each by its name."""

    def step_of(stage: str) -> Step:
        return lambda process: do(process, shard, stage)

    return [(stage, step_of(stage)) for stage in stages]


def _rehearse(world: World) -> tuple[str, str]:
    """The names of the night's batches, which are the same each time; the plan has changes of every
    kind."""
    bring_back, process = world.save(), world.process()
    (report,) = index(process, "night")
    changes = Shard(process.work, f"runs/{report.batch}/shards/00000").read("changes", Change)
    assert {type(change) for change in changes} == {Asset, Removal, Withdrawal}
    mined = mine.work(process, "night").batch
    bring_back()
    return report.batch, mined


@pytest.mark.exhaustive
def test_a_death_at_any_call_of_any_stage() -> None:
    """Before the call took effect, and after it did without the caller knowing; on the way, no
    reader sees a hole."""
    deaths = die_everywhere()
    assert len(deaths) == 14
    assert min(deaths.values()) >= 10


@pytest.mark.parametrize(("name", "contents"), [("c.pdf", DOCUMENTS), ("d.mp4", VIDEOS)])
def test_a_death_shows_no_part_of_a_document_or_a_video(
    name: str, contents: Iterable[bytes]
) -> None:
    """Of one that is replaced by a longer one, nor of one that goes; nor of a document's tables."""
    world = World(shards={"size": 100})
    shop = Shop(world.process())
    short, long, *_ = contents
    shop.put(f"pictures/p1/{name}", short)
    shop.put(f"pictures/p2/{name}", long)
    shop.settle()
    shop.put(f"pictures/p1/{name}", long)
    shop.remove(f"pictures/p2/{name}")
    (batch,) = compare.work(world.process(), "night").batches
    (shard,) = plan.work(world.process(), batch).shards
    do(world.process(), shard, "decode")
    stages = [name for name in INDEX if name != "decode"]
    deaths = die_in(world, _steps(stages, shard), shop)
    assert set(deaths) == set(stages)
    shop.settle()


def die_everywhere() -> dict[str, int]:
    """How many deaths each stage was retried after."""
    return die_in(*a_night())


def die_in(world: World, night: list[tuple[str, Step]], shop: Shop) -> dict[str, int]:
    """The same of these steps."""
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
                assert world.facts() == clean, (
                    f"{name} died {'after' if after else 'before'} call {ends_at}"
                )
        deaths[name] = 2 * life.calls
        bring_on()
    return deaths
