"""The dataset of tables: what is current leaves and comes with the documents' rows."""

import io
from typing import Any

import pyarrow.parquet as pq
import pytest

from mmsearch_core.layout import TABLES, build_of_cells
from mmsearch_core.parquet import schema_of
from mmsearch_core.records.cell import TableCell
from mmsearch_core.search.cells import current_cells
from mmsearch_core.shards.loop import run_stage
from mmsearch_core.wiring.batches import Runtime
from tasks import compare, expire, plan
from tests.documents.made import pdf
from tests.line import INDEX, do, fake_runtime, feed, index, picture
from tests.stages.test_backfill import backfill
from tests.stages.test_housekeeping import age, keys, request
from tests.stages.test_read_tables import CHART, lines

DOCUMENT = "pictures/p1/chart.pdf"
CARE = ("part | degrees (C)", "shell | 30")


@pytest.fixture
def shop() -> Runtime:
    """One document of two pages with a table each, and a picture."""
    runtime = fake_runtime()
    feed(runtime, {"p1": "Lumen 1"})
    runtime.catalog.put("pictures/p1/1.jpg", picture("red"))
    runtime.catalog.put(DOCUMENT, pdf(lines(*CHART), lines(*CARE)))
    index(runtime)
    return runtime


def cells(runtime: Runtime) -> list[dict[str, Any]]:
    """What is current, by place."""
    found = current_cells(runtime.work, runtime.ledger, runtime.live_target())
    rows = [row for piece in found for row in piece.to_pylist()]
    return sorted(rows, key=lambda row: (row["document"], row["page"], row["row_number"]))


def texts(runtime: Runtime) -> list[str]:
    return [cell["text"] for cell in cells(runtime)]


def test_every_value_says_where_it_is_from(shop: Runtime) -> None:
    chest = next(cell for cell in cells(shop) if cell["text"] == "68")
    known = next(
        one
        for batch in shop.ledger.known(shop.live_target().target_id)
        for one in batch
        if one.key == DOCUMENT
    )
    assert chest == {
        "product": "p1",
        "document": DOCUMENT,
        "asset": known.asset_id,
        "build": known.live_build,
        "page": 1,
        "table_number": 0,
        "row_number": 1,
        "column_number": 1,
        "label": "S",
        "header": ["waist (cm)"],
        "text": "68",
        "number": 68.0,
        "unit": "cm",
        "x0": 500,
        "y0": 333,
        "x1": 1000,
        "y1": 666,
        "source": "text layer",
        "confidence": 1.0,
    }


def test_a_build_of_a_document_is_one_file_and_pictures_have_none(shop: Runtime) -> None:
    (key,) = keys(shop, TABLES)
    data = shop.work.get(key)
    assert data
    assert pq.read_schema(io.BytesIO(data)).equals(schema_of(TableCell))
    assert build_of_cells(key)[1] == cells(shop)[0]["build"]


def test_a_document_that_loses_a_page_loses_its_cells(shop: Runtime) -> None:
    shop.catalog.put(DOCUMENT, pdf(lines(*CARE)))
    index(shop, "run-2")
    assert {(cell["page"], cell["label"]) for cell in cells(shop)} == {(1, "shell")}


def test_a_document_that_goes_takes_its_cells_along(shop: Runtime) -> None:
    shop.catalog.delete(DOCUMENT)
    index(shop, "run-2")
    assert cells(shop) == []


def test_until_the_commit_the_old_cells_count_and_then_the_new(shop: Runtime) -> None:
    """Also where the process dies between the file and the commit: nobody reads that file."""
    before = texts(shop)
    shop.catalog.put(DOCUMENT, pdf(lines(*CHART, "L | 84")))
    (batch,) = compare.work(shop, "run-2").batches
    (shard,) = plan.work(shop, batch).shards
    do(shop, shard, *INDEX[:-1])
    ledger, seen = shop.ledger, []

    class Dying:
        def __getattr__(self, name: str) -> Any:
            if name == "commit":
                seen.append(texts(shop))
                raise KeyboardInterrupt
            return getattr(ledger, name)

    dying = shop.having(ledger=Dying())
    with pytest.raises(KeyboardInterrupt):
        run_stage(dying.stage("upsert"), shard, store=shop.work, settings=shop.settings.shards)
    assert seen == [before] == [texts(shop)]
    assert len(keys(shop, TABLES)) == 2
    do(shop, shard, "upsert")
    assert texts(shop) == ["S", "68", "M", "76", "L", "84"]
    age(shop, 8, TABLES)
    assert expire.work(shop, request()).removed["tables"] == 1
    assert texts(shop) == ["S", "68", "M", "76", "L", "84"]


def test_a_build_that_has_no_tables_any_more_shows_none(shop: Runtime) -> None:
    """What a stage said was redone: the same build, other tables."""
    (key,) = keys(shop, TABLES)
    shop.table_reader._read = lambda content, pages: {}  # type: ignore[attr-defined]
    (report,) = backfill(shop, redo=["read_tables"], kinds=["document"])
    assert report.plan == {"redone": 1}
    assert keys(shop, TABLES) == {key}
    assert cells(shop) == []


def test_housekeeping_keeps_what_is_young_or_live_and_takes_the_rest(shop: Runtime) -> None:
    shop.catalog.put(DOCUMENT, pdf(lines(*CARE)))
    index(shop, "run-2")
    assert "tables" not in expire.work(shop, request()).removed
    age(shop, 8, TABLES)
    dry = expire.work(shop, request(dry_run=True))
    assert (dry.removed["tables"], len(keys(shop, TABLES))) == (1, 2)
    assert expire.work(shop, request()).removed["tables"] == 1
    assert texts(shop) == ["shell", "30"]
    assert "tables" not in expire.work(shop, request()).removed


def test_housekeeping_leaves_cells_that_come_back_while_it_works(shop: Runtime) -> None:
    """The old bytes are put back, and upsert writes the cells of their build once more after
    housekeeping has listed them as old."""
    old = shop.catalog.get(DOCUMENT) or b""
    shop.catalog.delete(DOCUMENT)
    index(shop, "run-2")
    age(shop, 8, TABLES)
    look_up, calls = shop.ledger.look_up, 0

    def meanwhile(*asked: Any) -> Any:
        nonlocal calls
        calls += 1
        answer = look_up(*asked)
        if calls == 1:
            shop.catalog.put(DOCUMENT, old)
            index(shop, "run-3")
        return answer

    shop.ledger.look_up = meanwhile  # type: ignore[assignment,method-assign]
    expire.work(shop, request())
    assert calls > 1
    assert len(texts(shop)) == 6


def test_housekeeping_leaves_cells_of_a_build_that_is_being_written(shop: Runtime) -> None:
    """Written so long ago that they look old, since the process that wrote them sleeps."""
    shop.catalog.put(DOCUMENT, pdf(lines(*CARE)))
    (handed,) = compare.work(shop, "run-2").batches
    (shard,) = plan.work(shop, handed).shards
    do(shop, shard, *INDEX[:-1])
    ledger = shop.ledger

    class Sleeping:
        def __getattr__(self, name: str) -> Any:
            if name == "commit":
                age(shop, 8, TABLES)
                expire.work(shop, request())
            return getattr(ledger, name)

    sleeping = shop.having(ledger=Sleeping())
    run_stage(sleeping.stage("upsert"), shard, store=shop.work, settings=shop.settings.shards)
    assert texts(shop) == ["shell", "30"]
