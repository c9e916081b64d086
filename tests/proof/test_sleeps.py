"""A process that sleeps at any call until its leases are another's, and then goes on as if nothing
had been."""

from collections.abc import Callable
from functools import partial

import pytest

from mmsearch_core.wiring.batches import Runtime
from tasks import compare, plan
from tests.line import INDEX, do, picture
from tests.proof.killing import Life, World
from tests.proof.oracle import BROKEN
from tests.proof.shop import LATE, Shop


def shop_at_night() -> tuple[World, Shop, Callable[[Runtime, str], None]]:
    """A shop that has settled and then changed in every way; its night is planned, and any stage
    can be done."""
    world = World(shards={"size": 100})
    shop = Shop(world.process())
    shop.set_product("p4")
    for number, color in enumerate(("red", "green", "blue", "black")):
        shop.put(f"pictures/p{number + 1}/a.jpg", picture(color))
    shop.settle()
    shop.put("pictures/p1/a.jpg", picture("blue", shade=25))
    shop.put("pictures/p1/b.jpg", picture("black"))
    shop.remove("pictures/p2/a.jpg")
    shop.set_product("p3", title="Deluxe")
    shop.drop_product("p4")
    (batch,) = compare.work(shop.runtime, "night").batches
    (shard,) = plan.work(shop.runtime, batch).shards
    return world, shop, lambda process, stage: do(process, shard, stage)


def nothing_more(shop: Shop) -> None:
    """Somebody else finishes what lies open."""
    shop.settle()


def newer_things(shop: Shop) -> None:
    """All that the sleeper works on changes once more."""
    shop.put("pictures/p1/a.jpg", picture("green", shade=25))
    shop.put("pictures/p1/b.jpg", BROKEN[0])
    shop.put("pictures/p2/a.jpg", picture("red"))
    shop.set_product("p3", title="Basic")
    shop.set_product("p4", title="Basic")
    shop.settle()


def everything_back(shop: Shop) -> None:
    """The bucket and the feed are again what they were before the night: the very rows that the
    sleeper retires."""
    shop.put("pictures/p1/a.jpg", picture("red"))
    shop.remove("pictures/p1/b.jpg")
    shop.put("pictures/p2/a.jpg", picture("green"))
    shop.set_product("p3")
    shop.set_product("p4")
    shop.settle()


@pytest.mark.exhaustive
def test_who_sleeps_through_its_lease_damages_nothing() -> None:
    """No hole the moment it is done, and one refresh later all is as the bucket says; the soak has
    the other cases."""
    tried, refused = sleep_everywhere(everything_back, ("upsert",), (False,))
    assert tried > 20
    assert refused > 0


def sleep_everywhere(
    meanwhile: Callable[[Shop], None], stages: tuple[str, ...], moments: tuple[bool, ...]
) -> tuple[int, int]:
    """Sleep at every call of these stages; how often, and how often the sleeper was told that it
    came too late."""
    world, shop, step = shop_at_night()
    refusals = []
    for stage in INDEX:
        before, feed, steady = world.save(), dict(shop.feed), set(shop.steady)
        life = Life()
        step(world.process(life), stage)
        bring_on = world.save()
        for ends_at in range(1, life.calls + 1 if stage in stages else 1):
            for after in moments:
                before()
                shop.feed, shop.steady = dict(feed), set(steady)
                life = Life(
                    ends_at=ends_at, after=after, sleep=lambda: _meanwhile(world, shop, meanwhile)
                )
                try:
                    refusals.append(_refused(partial(step, world.process(life), stage)))
                    shop.look()
                    world.let_leases_run_out()
                    shop.settle()
                except AssertionError as error:
                    raise AssertionError(
                        f"{stage} slept {'after' if after else 'before'} call {ends_at}"
                    ) from error
        bring_on()
        shop.feed, shop.steady = dict(feed), set(steady)
    return len(refusals), sum(refusals)


def _meanwhile(world: World, shop: Shop, happens: Callable[[Shop], None]) -> None:
    world.let_leases_run_out()
    shop.runs += 1
    happens(shop)


def _refused(work: Callable[[], None]) -> bool:
    try:
        work()
    except LATE:
        return True
    return False
