"""Whatever happens to the index or the ledger: one night later all is as the bucket says, and no
model was asked."""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mmsearch_core.adapters.ledger import books as ledger_books
from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.records.ids import RowId, digest
from mmsearch_core.stages.index import plan
from mmsearch_core.testing.memory_ledger import MemoryLedger
from mmsearch_core.wiring.batches import Runtime
from tasks import compare, sweep
from tests.conftest import Servers
from tests.line import fake_runtime, picture
from tests.proof.oracle import BROKEN, found, implied
from tests.proof.real import fresh, settings_for
from tests.proof.sabotage import DAMAGE, PUT_BACK, Act, Vandal, a_week_goes_by, lose_rows, with_row
from tests.proof.shop import Shop

NUMBERS = itertools.count()
KINDS = ["fakes", pytest.param("real", marks=pytest.mark.integration)]


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """Pictures of every kind, settled; on fakes, and on SeaweedFS, Milvus Lite and a SQLite
    file."""
    if request.param == "fakes":
        yield stocked(fake_runtime(shards={"size": 3}))
        return
    servers: Servers = request.getfixturevalue("servers")
    name = f"sabotage{next(NUMBERS)}"
    runtime = fresh(settings_for(servers.settings, tmp_path, name, shards={"size": 3}))
    yield stocked(runtime)
    runtime.index.drop(runtime.named_target().collection)


def stocked(runtime: Runtime) -> Shop:
    shop = Shop(runtime)
    for product, color in (("p1", "red"), ("p2", "green"), ("p3", "blue")):
        shop.put(f"pictures/{product}/a.jpg", picture(color))
        shop.put(f"pictures/{product}/b.jpg", picture(color, shade=25))
    shop.put("pictures/p1/broken.jpg", BROKEN[0])
    shop.put("pictures/p9/waits.jpg", picture("black"))
    seen = {
        "p1/1": picture("blue", shade=25),
        "p1/2": picture("green", shade=25),
        "p2/1": picture("black"),
    }
    seen["p2/2"] = picture("red")
    for name, data in seen.items():  # whatever comes later was described before
        shop.put(f"pictures/{name}.jpg", data)
    shop.settle()
    for name in seen:
        shop.remove(f"pictures/{name}.jpg")
    shop.settle()
    return shop


def calls(runtime: Runtime) -> list[int]:
    """Of the models that look at pictures, and of the one that reads texts."""
    vlm, clip, sbert = cast(tuple[Any, ...], (runtime.vlm, runtime.clip, runtime.sbert))
    return [vlm.calls + clip.calls, sbert.calls]


def night(shop: Shop, *, new_texts: int = 0) -> Mapping[str, int]:
    """One comparison and its batches; then everything is held against the bucket. Returns what was
    counted. ``new_texts`` is how many words of the feed were never indexed with what is on their
    picture."""
    runtime = shop.runtime
    before, shop.sold = calls(runtime), shop.said()
    report = compare.work(runtime, f"night-{next(NUMBERS)}")
    for batch in report.batches:
        shop.take_up(batch)
    assert calls(runtime) == [before[0], before[1] + new_texts]
    assert found(runtime) == implied(runtime.catalog, runtime.index_recipes, shop.sold)
    after = compare.work(runtime, f"after-{next(NUMBERS)}")
    assert after.batches == ()
    assert differences(after.counts) == 0
    assert after.counts["index_rows"] == after.counts["index_reread"] == len(Vandal(runtime).rows())
    return report.counts


def differences(counts: Mapping[str, int]) -> int:
    return sum(counts[f"index_{what}"] for what in ("lost", "doubled", "altered", "ghosts"))


@pytest.mark.parametrize("act", DAMAGE, ids=lambda act: act.__name__)
def test_damage_is_found_and_mended_in_one_night(shop: Shop, act: Act) -> None:
    """And the report says how much there was."""
    assert differences(night(shop)) == 0
    before = {stored.row.row_id: stored.row.content for stored in Vandal(shop.runtime).rows()}
    act(shop)
    assert differences(night(shop)) > 0
    assert {
        stored.row.row_id: stored.row.content for stored in Vandal(shop.runtime).rows()
    } == before


@pytest.mark.parametrize("act", PUT_BACK, ids=lambda act: act.__name__)
def test_what_is_put_back_is_caught_up_with_in_one_night(shop: Shop, act: Act) -> None:
    act(shop)
    night(shop)


def test_a_new_ledger_beside_a_full_index_takes_its_rows_over(shop: Shop, tmp_path: Path) -> None:
    """Though its fencing tokens begin anew, and what went or changed meanwhile has rows there
    still."""
    a_week_goes_by(shop)
    new_ledger(shop, tmp_path)
    shop.remove("pictures/p1/b.jpg")
    shop.put("pictures/p3/b.jpg", picture("blue"))
    counts = night(shop)
    assert counts["index_ghosts"] == 1


def test_an_event_may_be_the_first_that_a_new_ledger_hears_of(shop: Shop, tmp_path: Path) -> None:
    """Before any comparison: the rows that it replaces are of greater tokens than it ever gave."""
    new_ledger(shop, tmp_path)
    shop.set_product("p1", title="Deluxe")
    compare.work(shop.runtime, "feed only")  # its batches are left lying
    shop.put("pictures/p1/a.jpg", picture("blue", shade=25))
    shop.hint(["pictures/p1/a.jpg"])
    shop.finish(shop.open[-1])
    night(shop, new_texts=1)


def new_ledger(shop: Shop, folder: Path) -> None:
    runtime = shop.runtime
    ledger = (
        MemoryLedger()
        if isinstance(runtime.ledger, MemoryLedger)
        else SqlLedger(f"sqlite:///{folder}/new.db")
    )
    shop.runtime = runtime.having(ledger=ledger)
    shop.open.clear()


def test_rows_of_another_ledger_are_left_alone() -> None:
    """A ledger of another shop, or an empty one by a wrong address, must not empty the index that
    others search."""
    shop = stocked(fake_runtime())
    runtime, strangers = shop.runtime, 20
    catalog = runtime.settings.catalog.model_copy(update={"removed_at_least": 0})
    runtime = runtime.having(settings=runtime.settings.model_copy(update={"catalog": catalog}))
    shop.runtime = runtime
    vandal = Vandal(runtime)
    own = vandal.rows()
    theirs = [
        with_row(
            own[0], row_id=RowId(digest("theirs", str(n))), asset_id=digest("their asset", str(n))
        )
        for n in range(strangers)
    ]
    vandal.write(theirs)
    for stage in ("compare", "sweep"):
        if stage == "compare":
            counts = compare.work(runtime, "night").counts
            assert (counts["index_ghosts"], counts["index_ghosts_left"]) == (0, strangers)
        else:
            assert sweep.work(runtime, json.dumps({"run": "weekly"})).removed == {}
        assert len(vandal.rows()) == len(own) + strangers
    counts = compare.work(runtime, "approved", approve_removals=strangers).counts
    assert (counts["index_ghosts"], len(vandal.rows())) == (strangers, len(own))


@pytest.mark.parametrize("days", [1, -1])
def test_clocks_that_are_a_day_off_lose_nothing(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night by such a clock, and the next one by the right clock."""
    shop = stocked(fake_runtime(shards={"size": 3}))

    class Off(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Off":
            return super().now(tz) + timedelta(days=days)

    real = time.time
    with monkeypatch.context() as patch:
        patch.setattr(plan, "datetime", Off)
        patch.setattr(ledger_books, "time", SimpleNamespace(time=lambda: real() + days * 86_400))
        shop.put("pictures/p1/a.jpg", picture("blue", shade=25))
        lose_rows(shop)
        night(shop)
    shop.put("pictures/p1/a.jpg", picture("red"))
    shop.remove("pictures/p2/a.jpg")
    lose_rows(shop)
    night(shop)


def test_what_is_being_written_is_nobodys_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that stands between its rows and its commit: neither are its rows ghosts, nor is the
    asset lost."""
    shop = stocked(fake_runtime(shards={"size": 3}))
    runtime = shop.runtime
    shop.put("pictures/p1/a.jpg", picture("blue", shade=25))
    (work,) = shop.compare()
    with monkeypatch.context() as patch:
        patch.setattr(runtime.ledger, "commit", _killed)
        with pytest.raises(KeyboardInterrupt):
            shop.finish(work)
    rows = len(Vandal(runtime).rows())
    counts = compare.work(runtime, "meanwhile").counts
    assert differences(counts) == 0
    assert len(Vandal(runtime).rows()) == rows
    night(shop)


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_writer_that_is_quicker_than_the_audit_is_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It writes between the two reads; what differs then is looked at once more under its lease."""
    shop = stocked(fake_runtime(shards={"size": 3}))
    runtime = shop.runtime
    built = runtime.ledger.built_columns
    quick: list[Callable[[], None]] = [lambda: a_week_goes_by(shop)]

    def slow(target: object, assets: object = None) -> object:
        if quick:
            quick.pop()()
        return built(target, assets)  # type: ignore[arg-type]

    monkeypatch.setattr(runtime.ledger, "built_columns", slow)
    counts = compare.work(runtime, "night").counts
    assert differences(counts) == 0
    night(shop)


def test_each_night_another_part_of_a_large_index_is_read_back() -> None:
    """All of it in as many nights as there are parts."""
    from mmsearch_core.stages.hints.audit import PartOfTheNight

    shop = stocked(fake_runtime())
    vandal, runtime = Vandal(shop.runtime), shop.runtime
    rows = vandal.rows()
    vandal.write([with_row(stored, text="sponsored") for stored in rows])
    seen: list[str] = []
    for day in range(40, 40 + len(rows) // 2):
        part = PartOfTheNight(runtime.index, runtime.target().collection, most=2, day=day)
        seen += part.altered(len(rows))
    assert sorted(seen) == [stored.row.row_id for stored in rows]
    nothing = PartOfTheNight(runtime.index, runtime.target().collection, most=0, day=1)
    assert list(nothing.altered(len(rows))) == []


def test_rows_that_cannot_be_read_are_altered(shop: Shop) -> None:
    """By somebody who knew nothing of ours."""
    vandal = Vandal(shop.runtime)
    vandal.write([replace(stored, content="no digest") for stored in vandal.rows()[:1]])
    assert night(shop)["index_altered"] == 1
