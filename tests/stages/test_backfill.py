"""Backfill: what is selected, what it would cost, what it does, and what it leaves alone."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.catalog.take_feed import take_feed
from mmsearch_core.errors import BadSettings, StageMissing
from mmsearch_core.records.report import CloseReport, SelectReport
from mmsearch_core.shards.shard import read_plan
from mmsearch_core.testing.fake_models import FakeVisionLanguageModel
from mmsearch_core.wiring.batches import Runtime
from tasks import estimate, plan, select
from tests.line import (
    OTHER_MODEL,
    at_another_milvus,
    fake_runtime,
    feed,
    index,
    index_batch,
    picture,
    with_knobs,
)

TODAY = datetime.now(UTC).date()


@pytest.fixture
def shop() -> Runtime:
    """Three pictures and something that is called a video."""
    runtime = fake_runtime()
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    for key, color in {"p1/1.jpg": "red", "p1/2.jpg": "blue", "p2/1.jpg": "green"}.items():
        runtime.catalog.put(f"pictures/{key}", picture(color))
    runtime.build_target()
    return runtime


def request(**fields: Any) -> str:
    return json.dumps({"run": "catalog_backfill manual", **fields})


def backfill(runtime: Runtime, **fields: Any) -> list[CloseReport]:
    return [
        index_batch(runtime, batch) for batch in select.work(runtime, request(**fields)).batches
    ]


def calls(runtime: Runtime) -> int:
    vlm = runtime.vlm
    assert isinstance(vlm, FakeVisionLanguageModel)
    return vlm.calls


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({}, 3),
        ({"prefix": "p1/"}, 2),
        ({"prefix": "pictures/p2/"}, 1),
        ({"kinds": ["video", "document"]}, 0),
        ({"first_day": str(TODAY - timedelta(days=1))}, 3),
        ({"last_day": str(TODAY - timedelta(days=1))}, 0),
        ({"partition": f"{TODAY}T00:00:00"}, 3),
        ({"partition": f"{TODAY - timedelta(days=2)}T00:00:00", "first_day": str(TODAY)}, 0),
        ({"by_clock": True}, 0),
    ],
)
def test_a_selection_is_by_prefix_kind_and_day(
    shop: Runtime, fields: dict[str, Any], number: int
) -> None:
    if str(TODAY) != str(datetime.now(UTC).date()):  # midnight has passed since this file was read
        pytest.skip("the day has just changed")
    assert estimate.work(shop, request(**fields)).assets == number
    assert select.work(shop, request(**fields)).assets == number


def test_an_estimate_counts_what_the_memo_does_not_save_and_touches_nothing(shop: Runtime) -> None:
    new = estimate.work(shop, request(budget_minutes=0))
    assert new.calls == {"read_tables": 0, "describe": 3, "embed_text": 3, "embed_image": 3}
    assert (new.to_do, new.ask) == (3, True)
    other = estimate.work(shop, request(vlm=OTHER_MODEL))
    assert shop.index.uuid(other.collection) is None
    assert [target.collection for target in shop.ledger.targets()] == [new.collection]
    index(shop)
    shop.catalog.put("pictures/p1/2.jpg", picture("black"))
    some = estimate.work(shop, request())
    assert some.calls == {"read_tables": 0, "describe": 1, "embed_text": 1, "embed_image": 1}
    assert (some.to_do, some.ask) == (1, False)
    again = estimate.work(shop, request(redo=["describe"]))
    assert again.calls == {"read_tables": 0, "describe": 3, "embed_text": 1, "embed_image": 1}
    assert again.to_do == 3
    assert not estimate.work(shop, request(redo=["describe"], budget_minutes=0, dry_run=True)).ask


def test_an_estimate_says_that_it_does_not_know_the_shots_of_videos(shop: Runtime) -> None:
    shop.catalog.put("pictures/p1/turn.mp4", b"ftyp")
    said = estimate.work(shop, request())
    assert said.videos == 1
    assert "| videos | 1; each shot costs what is counted here for the video |" in said.table


def test_an_estimate_says_that_it_does_not_know_the_pages_of_documents(shop: Runtime) -> None:
    shop.catalog.put("pictures/p1/care.pdf", b"%PDF-1.7")
    said = estimate.work(shop, request())
    assert said.documents == 1
    assert "| documents | 1; each page costs what is counted here for the document |" in said.table


def test_an_estimate_uses_what_the_latest_run_measured(shop: Runtime) -> None:
    report = index(shop)[0]
    where = f"runs/{report.batch}/report.json"
    measured = json.loads(shop.work.get(where) or b"")
    measured["report"]["stages"]["describe"]["seconds"] = 300
    shop.work.put(where, json.dumps(measured).encode())
    said = estimate.work(shop, request(redo=["describe"]))
    # 3 calls took 300 seconds, and 3 are to be made
    assert said.gpu_seconds == pytest.approx(300, abs=1)


def test_a_backfill_indexes_what_is_missing_and_removes_nothing(shop: Runtime) -> None:
    index(shop)
    shop.catalog.put("pictures/p2/2.jpg", picture("black"))
    batches = select.work(shop, request()).batches
    shop.catalog.delete("pictures/p1/1.jpg")  # seen by the selection, gone when it is looked at
    (report,) = [index_batch(shop, batch) for batch in batches]
    assert report.plan == {"unchanged": 2, "added": 1, "gone_before_indexed": 1}
    assert report.assets == {"live": 1, "failed": 0, "removed": 0, "unsettled": 0}
    assert shop.ledger.counts(shop.target().target_id)["live"] == 4


def test_done_again_it_changes_nothing(shop: Runtime) -> None:
    """Another run over the same days, as reprocessing makes it."""
    index(shop)
    before, asked = sorted(shop.index.builds(shop.target().collection)), calls(shop)
    writes = shop.index.writes  # type: ignore[attr-defined]
    for run in ("first", "again"):
        (report,) = backfill(shop, run=run)
        assert report.plan == {"unchanged": 3}
    assert (sorted(shop.index.builds(shop.target().collection)), calls(shop)) == (before, asked)
    assert shop.index.writes == writes  # type: ignore[attr-defined]


def test_a_stage_to_redo_is_asked_again_and_what_it_says_now_is_remembered(shop: Runtime) -> None:
    index(shop)
    asked, rows = calls(shop), sorted(shop.index.builds(shop.target().collection))
    (report,) = backfill(shop, redo=["describe"])
    assert report.plan == {"redone": 3}
    assert report.stages["describe"].calls_made == 3
    assert report.stages["embed_image"].calls_made == 0
    assert calls(shop) == asked + 3
    assert sorted(shop.index.builds(shop.target().collection)) == rows
    (report,) = backfill(shop, run="after", redo=["embed_image"])
    assert report.stages["describe"].calls_made == 0


def test_another_model_fills_another_target_and_what_is_searched_stays(shop: Runtime) -> None:
    index(shop)
    searched, recipes = shop.index.resolve("mmsearch"), dict(shop.target().recipes)
    other = shop.with_models({"vlm": OTHER_MODEL})
    assert other.vlm.name == OTHER_MODEL
    assert other.clip is shop.clip
    assert other.named_target().recipes["picture"]["describe"] != recipes["picture"]["describe"]
    assert shop.target().recipes == recipes
    said = estimate.work(shop, request(vlm=OTHER_MODEL))
    assert said.calls == {"read_tables": 0, "describe": 3, "embed_text": 3, "embed_image": 0}
    batch = select.work(shop, request(vlm=OTHER_MODEL)).batches[0]
    assert shop.for_batch(batch).settings.models.vlm == OTHER_MODEL
    assert len(plan.work(shop, batch).shards) == 1
    frozen = read_plan(shop.work, batch)
    assert (frozen.collection, frozen.partial) == (other.target().collection, True)
    assert frozen.counts == {"added": 3}
    assert shop.index.resolve("mmsearch") == searched


def test_another_models_index_is_begun_only_beside_one_that_is_there(shop: Runtime) -> None:
    """Else the address is wrong, and a half-empty index would lie in somebody else's Milvus."""
    index(shop)
    wrong = at_another_milvus(shop)
    for fields in ({}, {"vlm": OTHER_MODEL}):
        with pytest.raises(
            StageMissing, match=r"missing from .*correct index\.uri, or run catalog_refresh"
        ):
            select.work(wrong, request(**fields))
    assert len(shop.ledger.targets()) == 1
    with pytest.raises(StageMissing, match="run catalog_refresh first"):
        select.work(fake_runtime(), request(vlm=OTHER_MODEL))


def test_a_backfill_alone_does_not_switch_what_is_searched(shop: Runtime, tmp_path: Path) -> None:
    """It may be a part of what is to be there; a comparison sees all."""
    take_feed(shop.catalog, shop.ledger, shop.settings.catalog, folder=tmp_path)
    (report,) = backfill(shop, prefix="p1/")
    assert report.assets["live"] == 2
    assert shop.index.resolve("mmsearch") is None
    index(shop)
    assert shop.index.resolve("mmsearch") == shop.target().collection


def test_a_dry_run_hands_out_nothing_and_a_batch_is_small(shop: Runtime) -> None:
    assert select.work(shop, request(dry_run=True)) == SelectReport(
        batches=(), assets=3, dry_run=True
    )
    small = with_knobs(shop, shards={"size": 1}, backfill={"shards": 2})
    batches = select.work(small, request()).batches
    assert len(batches) == 2
    assert select.work(small, request()).batches == batches  # a retry names the same
    small.catalog.put("pictures/p1/3.jpg", picture("black"))
    # it would have to do another picture
    assert not set(select.work(small, request()).batches) & {batches[1]}
    assert not set(select.work(small, request(run="another")).batches) & set(batches)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("{", "The request is wrong"),
        (request(kinds=["audio"]), "kinds.0 is wrong"),
        (
            request(redo=["upsert"]),
            r"redo is wrong \(it names others than read_tables, describe, embed_text",
        ),
        (request(first_day="2026-02-30"), "first_day is wrong"),
        (request(first_day=str(date.max), last_day="2026-01-01"), "exchange them"),
        (request(partition="yesterday"), "partition is wrong"),
        (request(budget_minutes=-1), "budget_minutes is wrong"),
        (request(surprise=1), "surprise is wrong"),
    ],
)
def test_a_wrong_form_is_told_in_one_sentence(shop: Runtime, asked: str, message: str) -> None:
    with pytest.raises(BadSettings, match=message):
        select.work(shop, asked)


def test_the_table_for_the_person_who_is_asked_cannot_be_broken_by_the_form(shop: Runtime) -> None:
    table = estimate.work(shop, request(prefix="`|<img src=x>|\n# title")).table
    assert len(table.splitlines()) == 8
    assert table.count("`") == 2
