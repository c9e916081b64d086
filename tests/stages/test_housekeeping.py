"""Housekeeping: what nobody reads goes, whatever is young or in use stays, and failures are tried
three times."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mmsearch_core.adapters.object_memo import ObjectMemo
from mmsearch_core.codec import to_json
from mmsearch_core.errors import BadRecord, BadSettings, Busy, UnusableAnswer
from mmsearch_core.layout import CURRENT
from mmsearch_core.records.ids import AssetId, Build, GenerationId, RowId
from mmsearch_core.serving.generation import Current, read_current
from mmsearch_core.serving.results import Results
from mmsearch_core.shards.shard import Shard
from mmsearch_core.testing.memory_ledger import MemoryLedger
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import expire, redrive, sweep
from tests.line import INDEX, ask, fake_runtime, feed, index, index_batch, picture, search
from tests.videos.made import video


@pytest.fixture
def shop() -> Runtime:
    """Two pictures indexed, one query published."""
    runtime = fake_runtime(search={"buckets": 16}, housekeeping={"generations": 1})
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    runtime.catalog.put("pictures/p1/1.jpg", picture("red"))
    runtime.catalog.put("pictures/p2/1.jpg", picture("blue"))
    ask(runtime, ("red dress", "en"))
    index(runtime)
    search(runtime)
    return runtime


def request(**fields: Any) -> str:
    return json.dumps({"run": "weekly", **fields})


def age(runtime: Runtime, days: float, prefix: str = "") -> None:
    """As if everything under the prefix of the work bucket had been written so many days
    earlier."""
    work = runtime.work
    assert isinstance(work, MemoryStore)
    for key, (data, ref) in work._objects.items():
        if key.startswith(prefix):
            work._objects[key] = (
                data,
                replace(ref, last_modified=ref.last_modified - timedelta(days=days)),
            )


def keys(runtime: Runtime, prefix: str) -> set[str]:
    return {found.key for found in runtime.work.list(prefix)}


def published(runtime: Runtime) -> set[str]:
    """Products found for the query by somebody who reads every file of the current generation."""
    results = Results(runtime.work)
    for number in results.manifest.buckets:
        results.bucket(number)
    listed = results.look_up("red dress", "en")
    assert listed
    return {hit.product_id for hit in listed.hits}


def test_nothing_young_goes(shop: Runtime) -> None:
    before = keys(shop, "")
    for stage in (expire, sweep):
        assert stage.work(shop, request()).removed == {}
    assert keys(shop, "") == before


def test_old_runs_go_but_for_those_whose_page_is_the_latest(shop: Runtime) -> None:
    shop.catalog.put("pictures/p1/2.jpg", picture("green"))
    (report,) = index(shop, "run-2")
    age(shop, 31, "runs/")
    found = expire.work(shop, request()).removed
    assert found["runs"] == 1  # of three: two pages are shown
    assert {key.split("/")[1] for key in keys(shop, "runs/") if key.count("/") > 1} >= {
        report.batch
    }
    assert not [key for key in keys(shop, "runs/") if key.startswith("runs//")]
    assert expire.work(shop, request()).removed.get("runs", 0) == 0


def test_a_dry_run_says_the_same_and_removes_nothing(shop: Runtime) -> None:
    shop.catalog.delete("pictures/p1/1.jpg")
    index(shop, "run-2")
    age(shop, 100)
    before = keys(shop, "")
    dry = expire.work(shop, request(dry_run=True))
    assert keys(shop, "") == before
    assert dry.removed["pixels"] == 1
    assert dry.dry_run
    wet = expire.work(shop, request())
    assert (wet.removed, wet.such_as) == (dry.removed, dry.such_as)
    assert set(dry.such_as["pixels"]) == before - keys(shop, "") - {
        key for key in before if not key.startswith("pixels/")
    }


def test_pixels_go_with_their_answers_once_no_row_refers_to_them(shop: Runtime) -> None:
    age(shop, 8)
    assert "pixels" not in expire.work(shop, request()).removed
    shop.catalog.delete("pictures/p1/1.jpg")
    index(shop, "run-2")
    asked = shop.vlm.calls  # type: ignore[attr-defined]
    assert expire.work(shop, request()).removed["pixels"] == 1
    assert len(keys(shop, "pixels/")) == 1
    shop.catalog.put("pictures/p1/1.jpg", picture("red"))  # it comes back, and is looked at anew
    assert index(shop, "run-3")[0].assets["live"] == 1
    assert shop.vlm.calls == asked + 1  # type: ignore[attr-defined]
    assert len(keys(shop, "pixels/")) == 2


def test_the_frames_of_a_video_go_with_its_pictures(shop: Runtime) -> None:
    before = keys(shop, "pixels/")
    shop.catalog.put("pictures/p1/turn.mp4", video(("green", 1.0)))
    index(shop, "run-2")
    age(shop, 8)
    assert len(keys(shop, "pixels/") - before) == 2
    assert "pixels" not in expire.work(shop, request()).removed
    shop.catalog.delete("pictures/p1/turn.mp4")
    index(shop, "run-3")
    assert expire.work(shop, request()).removed["pixels"] == 1
    assert keys(shop, "pixels/") == before


def test_old_pixels_that_a_run_has_just_used_are_young(shop: Runtime) -> None:
    """A removed picture comes back while its old pixels are still there: housekeeping in the middle
    takes nothing."""
    shop.catalog.delete("pictures/p1/1.jpg")
    index(shop, "run-2")
    age(shop, 8, "pixels/")
    shop.catalog.put("pictures/p1/2.jpg", picture("red"))
    from tasks import compare, plan
    from tests.line import do

    batch = compare.work(shop, "run-3").batches[0]
    (path,) = plan.work(shop, batch).shards
    do(shop, path, "decode")
    assert "pixels" not in expire.work(shop, request()).removed
    do(shop, path, *INDEX[1:])
    assert Shard(shop.work, path).report("upsert").failed == 0  # type: ignore[union-attr]


def test_pixels_stay_while_an_index_has_to_be_built_again_from_them(shop: Runtime) -> None:
    """Lost on Saturday, housekeeping on Sunday: the rebuild asks no model."""
    asked = shop.vlm.calls  # type: ignore[attr-defined]
    age(shop, 10)
    shop.index.drop(shop.target().collection)
    report = expire.work(shop, request())
    assert "pixels" not in report.removed
    assert "catalog_refresh" in report.kept["pixels"]
    index(shop, "run-2")
    assert shop.vlm.calls == asked  # type: ignore[attr-defined]
    assert expire.work(shop, request()).kept == {}


@pytest.mark.parametrize("lost", ["a row", "the ledger"])
def test_pixels_stay_while_rows_or_the_ledger_are_lost(shop: Runtime, lost: str) -> None:
    age(shop, 10)
    if lost == "a row":
        rows = shop.index._rows[shop.target().collection]  # type: ignore[attr-defined]
        rows.pop(next(iter(rows)))
    else:
        shop = shop.having(ledger=MemoryLedger())
    report = expire.work(shop, request())
    assert "pixels" not in report.removed
    assert report.kept["pixels"]
    assert len(keys(shop, "pixels/")) == 2


def test_pixels_that_were_written_again_after_they_were_listed_stay(shop: Runtime) -> None:
    """A picture comes back while housekeeping reads the index's rows."""
    shop.catalog.delete("pictures/p1/1.jpg")
    index(shop, "run-2")
    age(shop, 10)
    read = shop.index.pixels

    def pixels(collection: str) -> Any:
        rows = list(read(collection))
        shop.index.pixels = read  # type: ignore[method-assign]
        shop.catalog.put("pictures/p1/1.jpg", picture("red"))
        index(shop, "run-3")
        return iter(rows)

    shop.index.pixels = pixels  # type: ignore[method-assign]
    expire.work(shop, request())
    assert len(keys(shop, "pixels/")) == 2


def test_the_answers_in_use_are_not_listed_and_what_goes_goes_in_bulk(shop: Runtime) -> None:
    for number in range(60):
        shop.work.put(f"pixels/{number:032x}.jpg", b"x")
    age(shop, 10)
    calls: list[tuple[str, Any]] = []
    store = shop.work

    class Counted:
        def __getattr__(self, name: str) -> Any:
            def call(*args: Any, **options: Any) -> Any:
                calls.append((name, args))
                return getattr(store, name)(*args, **options)

            return call if callable(getattr(store, name)) else getattr(store, name)

    shop = shop.having(work=Counted())
    shop = shop.having(memo=ObjectMemo(shop.work))
    assert expire.work(shop, request()).removed == {"pixels": 60}
    deletions = [name for name, _ in calls if name.startswith("delete")]
    by_pixels = ("read_tables", "describe", "embed_image")
    # of the pixels, and of what each recipe says of them
    assert len(deletions) <= 1 + len(shop.target().recipes_of(*by_pixels))
    assert not [args for name, args in calls if name == "list" and args[0].startswith("memo/")]


def test_answers_of_recipes_that_nothing_uses_go_once_they_are_old(shop: Runtime) -> None:
    used = f"memo/{shop.target().recipes['picture']['describe']}/x.answer"
    for key in (used, "memo/gone/a.answer", "memo/gone/b.answer"):
        shop.work.put(key, b"{}")
    age(shop, 91, "memo/")
    shop.work.put("memo/gone/young.answer", b"{}")
    assert expire.work(shop, request()).removed == {"memo": 2}
    assert keys(shop, "memo/") == {used, "memo/gone/young.answer"}


def test_a_generation_goes_a_day_after_it_stopped_being_current_and_what_readers_need_stays(
    shop: Runtime,
) -> None:
    first = Results(shop.work).current.generation
    ask(shop, ("red dress", "en"), ("blue dress", "en"))
    age(shop, 3, "results/")  # the first is old, yet it stops being current only now
    search(shop, "run-2")
    assert expire.work(shop, request()).removed == {}
    age(shop, 2, "results/")
    assert expire.work(shop, request()).removed == {"generations": 1}
    taken = [key for key in Results(shop.work).manifest.buckets.values() if f"/{first}/" in key]
    assert taken  # the query of the first night has not changed
    assert keys(shop, f"results/{first}/") == set(taken)
    assert published(shop) == {"p1"}
    assert expire.work(shop, request()).removed == {}


def test_a_generation_that_a_rollback_left_is_kept_for_a_day(shop: Runtime) -> None:
    first = Results(shop.work).current.generation
    ask(shop, ("red dress", "en"), ("blue dress", "en"))
    age(shop, 1, "runs/")
    search(shop, "run-2")
    second = Results(shop.work).current.generation
    age(shop, 9, "results/")
    shop.work.put(CURRENT, to_json(Current(generation=first, parent=None, hold=True)))
    assert expire.work(shop, request()).removed == {}
    age(shop, 2, CURRENT)
    settings = shop.settings.housekeeping.model_copy(update={"generations": 1})
    shop = shop.having(settings=shop.settings.model_copy(update={"housekeeping": settings}))
    expire.work(shop, request())
    assert keys(shop, f"results/{first}/")
    assert published(shop) == {"p1"}
    current = read_current(shop.work)
    assert current
    assert current.generation == GenerationId(first) != second


def test_rows_that_the_ledger_does_not_know_go_and_no_others(shop: Runtime) -> None:
    target = shop.target()
    rows = shop.index._rows[target.collection]  # type: ignore[attr-defined]
    (good, other) = rows.values()
    ghost = replace(good, row_id=RowId("ghost"), asset_id=AssetId("nobody"))
    stale = replace(other, row_id=RowId("stale"), build=Build("old"))
    shop.index.upsert(target.collection, [ghost, stale])
    dry = sweep.work(shop, request(dry_run=True))
    assert set(dry.such_as["rows"]) == {"ghost", "stale"}
    assert len(rows) == 4
    assert sweep.work(shop, request()).removed == {"rows": 2}
    assert set(rows) == {good.row_id, other.row_id}
    assert sweep.work(shop, request()).removed == {}


def test_rows_are_not_swept_from_under_a_writer(shop: Runtime) -> None:
    target = shop.target()
    (good, _) = shop.index._rows[target.collection].values()  # type: ignore[attr-defined]
    shop.index.upsert(
        target.collection, [replace(good, row_id=RowId("ghost"), asset_id=AssetId("nobody"))]
    )
    shop.ledger.take_lease(f"index:{target.target_id}", holder="a writer", seconds=60)
    with pytest.raises(Busy):
        sweep.work(shop, request())


def test_what_fails_is_tried_three_times_and_then_parked(shop: Runtime) -> None:
    shop.catalog.put("pictures/p1/broken.jpg", b"no picture")
    index(shop, "run-2")
    for week, attempts in (("one", 2), ("two", 3)):
        report = redrive.work(shop, request(run=week))
        assert (report.driven, report.parked) == ({"decode: UnsupportedMedia": 1}, {})
        (closed,) = [index_batch(shop, batch) for batch in report.batches]
        assert closed.assets["failed"] == 1
        (known,) = [
            k
            for piece in shop.ledger.known(shop.target().target_id)
            for k in piece
            if "broken" in k.key
        ]
        assert known.attempts == attempts
    report = redrive.work(shop, request(run="three"))
    assert (report.batches, report.driven) == ((), {})
    assert report.parked == {"decode: UnsupportedMedia": 1}
    shop.catalog.put("pictures/p1/broken.jpg", picture("green"))
    assert index(shop, "run-3")[0].assets["live"] == 1


def test_failures_are_driven_by_reason_and_heal(shop: Runtime) -> None:
    shop.catalog.put("pictures/p1/broken.jpg", b"no picture")
    index(shop, "run-2")
    assert redrive.work(shop, request(reasons=["UnusableAnswer"])).batches == ()
    assert redrive.work(shop, request(dry_run=True)).driven == {"decode: UnsupportedMedia": 1}
    shop = shop.having(decoder=_Healed(shop.decoder))
    (batch,) = redrive.work(shop, request(reasons=["UnsupportedMedia"])).batches
    assert index_batch(shop, batch).assets == {
        "live": 1,
        "failed": 0,
        "removed": 0,
        "unsettled": 0,
    }


def test_what_is_live_without_its_description_or_vector_is_tried_again(shop: Runtime) -> None:
    """It is searched by what there is, and listed with what failed; once that succeeds, it is as if
    it never had."""
    target = shop.target()
    shop.catalog.put("pictures/p1/2.jpg", picture("green"))
    shop.catalog.put("pictures/p2/2.jpg", picture("black"))
    vlm, clip = shop.vlm, shop.clip
    shop = shop.having(vlm=_Failing(shop.vlm, "answer"), clip=_Failing(shop.clip, "embed"))
    (closed,) = index(shop, "run-2")
    assert (closed.assets["live"], closed.assets["failed"]) == (2, 0)
    assert shop.ledger.counts(target.target_id)["incomplete"] == 2
    assert {failure.stage for _, failure in shop.ledger.failures(target.target_id, limit=9)} == {
        "describe"
    }
    assert index(shop, "run-3") == [], "a comparison finds nothing changed"

    shop = shop.having(vlm=vlm)  # only the vectors fail now
    (batch,) = redrive.work(shop, request(run="one")).batches
    assert index_batch(shop, batch).assets["live"] == 2
    assert {failure.stage for _, failure in shop.ledger.failures(target.target_id, limit=9)} == {
        "embed_image"
    }

    shop = shop.having(clip=clip)
    report = redrive.work(shop, request(run="two"))
    assert (report.driven, report.parked) == ({"embed_image: UnusableAnswer": 2}, {})
    assert index_batch(shop, report.batches[0]).assets["live"] == 2
    assert shop.ledger.failures(target.target_id, limit=9) == []
    assert redrive.work(shop, request(run="three")).batches == ()
    rows = shop.index._rows[target.collection].values()  # type: ignore[attr-defined]
    assert len(rows) == 4
    assert all("dress" in row.text and row.vectors["clip"] is not None for row in rows)


def test_a_description_that_keeps_failing_is_parked_and_stays_searched(shop: Runtime) -> None:
    shop.catalog.put("pictures/p1/2.jpg", picture("green"))
    shop = shop.having(vlm=_Failing(shop.vlm, "answer"))
    index(shop, "run-2")
    for week in ("one", "two"):
        (batch,) = redrive.work(shop, request(run=week)).batches
        assert index_batch(shop, batch).assets["live"] == 1
    report = redrive.work(shop, request(run="three"))
    assert (report.batches, report.parked) == ((), {"describe: UnusableAnswer": 1})
    shop.catalog.put("pictures/p1/2.jpg", picture("green", shade=25))
    assert index(shop, "run-3")[0].assets["live"] == 1
    assert redrive.work(shop, request(run="four")).driven == {"describe: UnusableAnswer": 1}


def test_every_failure_has_its_turn(shop: Runtime) -> None:
    """Also those that are older than a whole week's share."""
    settings = shop.settings.housekeeping.model_copy(update={"redriven": 2})
    shop = shop.having(settings=shop.settings.model_copy(update={"housekeeping": settings}))
    for number in range(5):
        shop.catalog.put(f"pictures/p1/broken{number}.jpg", b"no picture %d" % number)
        index(shop, f"run {number}")
    for week in range(5):
        for batch in redrive.work(shop, request(run=f"week {week}")).batches:
            index_batch(shop, batch)
    known = [one for piece in shop.ledger.known(shop.target().target_id) for one in piece]
    assert {one.attempts for one in known if "broken" in one.key} == {3}


class _Failing:
    """A model that fails at everything."""

    def __init__(self, model: Any, method: str) -> None:
        self._model, self._method = model, method

    def __getattr__(self, name: str) -> Any:
        return self._fail if name == self._method else getattr(self._model, name)

    @staticmethod
    def _fail(items: Any) -> list[BadRecord]:
        return [UnusableAnswer("It said nothing.") for _ in items]


@pytest.mark.parametrize("stage", [expire, sweep, redrive])
def test_a_wrong_form_is_told_in_one_sentence(shop: Runtime, stage: Any) -> None:
    with pytest.raises(BadSettings, match="dry_run is wrong"):
        stage.work(shop, request(dry_run="perhaps"))


class _Healed:
    """A decoder that opens what no decoder could."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

    def decode(self, items: Any) -> Any:
        return self._decoder.decode([(kind, picture("black")) for kind, _ in items])
