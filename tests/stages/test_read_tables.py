"""read_tables: pages with text give their tables, once, and a page that cannot be read costs
nothing but its tables."""

from collections.abc import Sequence

import pytest

from mmsearch_core.errors import BadRecord
from mmsearch_core.layout import report_key
from mmsearch_core.ports.media import Content
from mmsearch_core.records.table import PageTables, Table
from mmsearch_core.shards import canary
from mmsearch_core.shards.shard import Shard, read_plan
from mmsearch_core.testing.fake_tables import FakeTableReader
from mmsearch_core.wiring.batches import Runtime
from tasks import compare, plan
from tests.documents.made import Draw, pdf
from tests.line import INDEX, do, fake_runtime, feed, index, picture

CHART = ("size | waist (cm)", "S | 68", "M | 76")
DOCUMENT = "pictures/p1/chart.pdf"
BEFORE = ("decode", "read_tables")


def lines(*said: str) -> Draw:
    """A page that says these lines."""

    def draw(page: object) -> None:
        for number, line in enumerate(said):
            page.insert_text((40, 60 + 30 * number), line, fontsize=11)  # type: ignore[attr-defined]

    return draw


class Counting(FakeTableReader):
    """Counts how often it is asked, and for how many documents."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[list[int]]] = []

    def read(
        self, documents: Sequence[tuple[Content, Sequence[int]]]
    ) -> list[dict[int, list[Table]] | BadRecord]:
        self.asked.append([list(pages) for _, pages in documents])
        return super().read(documents)


@pytest.fixture
def reader() -> Counting:
    return Counting()


@pytest.fixture
def shop(reader: Counting) -> Runtime:
    runtime = fake_runtime().having(table_reader=reader)
    feed(runtime, {"p1": "Lumen 1"})
    return runtime


def shards_of(runtime: Runtime) -> dict[str, str]:
    """The shards of one comparison, by what they hold."""
    found = {}
    for batch in compare.work(runtime, "night").batches:
        plan.work(runtime, batch)
        frozen = read_plan(runtime.work, batch)
        found.update({kind: path for path, kind in frozen.shard_kinds.items()})
    return found


def read_in(runtime: Runtime, shard: str) -> list[PageTables]:
    return Shard(runtime.work, shard).read("tables", PageTables)


def test_pages_with_text_are_read_in_one_go_and_give_their_tables(
    shop: Runtime, reader: Counting
) -> None:
    shop.catalog.put(DOCUMENT, pdf(lines("Care"), lines(*CHART), lines("a | b", "1 | 2")))
    shard = shards_of(shop)["document"]
    do(shop, shard, *BEFORE)
    assert reader.asked == [[[1, 2, 3]]]
    first, second = read_in(shop, shard)
    assert [cell.text for cell in first.tables[0].cells][:2] == ["size", "waist (cm)"]
    assert (first.tables[0].rows, second.tables[0].rows) == (3, 2)
    report = Shard(shop.work, shard).report("read_tables")
    assert report
    assert (report.read, report.failed, report.tally["pages_with_tables"]) == (3, 0, 2)


def test_what_was_read_once_is_not_read_again(shop: Runtime, reader: Counting) -> None:
    shop.catalog.put(DOCUMENT, pdf(lines(*CHART)))
    index(shop)
    shop.catalog.put("pictures/p1/copy.pdf", shop.catalog.get(DOCUMENT) or b"")
    index(shop, "run-2")
    assert reader.calls == 1


def test_a_page_that_cannot_be_read_costs_its_tables_only(shop: Runtime, reader: Counting) -> None:
    pages = [lines(*CHART), lines("unreadable table"), lines(*CHART, "L | 84"), lines("Care")]
    shop.catalog.put(DOCUMENT, pdf(*pages))
    (report,) = index(shop)
    shard = f"runs/{report.batch}/shards/00000"
    assert len(read_in(shop, shard)) == 2
    (failure,) = Shard(shop.work, shard).failures("read_tables")
    assert failure.kind == "UnreadableMedia"
    assert report.assets["live"] == 1
    target = shop.target()
    rows = list(shop.index.rows_between(target.collection, "0", "g"))
    places = {str(stored.row.where).partition("@")[0] for stored in rows}
    assert places == {f"page:{n}" for n in (1, 2, 3, 4)}
    (listed,) = shop.ledger.failures(target.target_id, limit=5)
    assert listed[1].stage == "read_tables"


def test_a_document_that_changed_since_it_was_planned_is_left_to_the_next_night(
    shop: Runtime,
) -> None:
    shop.catalog.put(DOCUMENT, pdf(lines(*CHART)))
    shard = shards_of(shop)["document"]
    do(shop, shard, "decode")
    shop.catalog.put(DOCUMENT, pdf(lines(*CHART, "L | 84")))
    do(shop, shard, "read_tables")
    (failure,) = Shard(shop.work, shard).failures("read_tables")
    assert failure.kind == "SourceChanged"


def test_shards_of_other_kinds_ask_nobody_and_read_no_asset(
    shop: Runtime, reader: Counting
) -> None:
    shop.catalog.put("pictures/p1/1.jpg", picture("red"))
    shard = shards_of(shop)["picture"]
    do(shop, shard, *BEFORE)
    assert reader.asked == []
    assert read_in(shop, shard) == []
    assert shop.work.head(report_key(shard, "read_tables"))
    report = Shard(shop.work, shard).report("read_tables")
    assert report
    assert (report.read, report.recipe) == (0, "")


def test_only_documents_have_a_recipe(shop: Runtime) -> None:
    """A picture's build is named as before there was this stage."""
    recipes = shop.index_recipes
    assert [kind for kind in recipes if "read_tables" in recipes[kind]] == ["document"]


def test_a_remembered_answer_that_is_damaged_is_read_again(shop: Runtime, reader: Counting) -> None:
    shop.catalog.put(DOCUMENT, pdf(lines(*CHART)))
    shard = shards_of(shop)["document"]
    do(shop, shard, *BEFORE)
    recipe = shop.index_recipes["document"]["read_tables"]
    (segment,) = read_in(shop, shard)
    answers = shop.memo._answers  # type: ignore[attr-defined]
    for key in answers:
        answers[key] = b'[{"number": "none"}]' if key[0] == recipe else answers[key]
    shop.work.delete(report_key(shard, "read_tables"))
    do(shop, shard, "read_tables")
    assert reader.calls == 2
    assert read_in(shop, shard) == [segment]


def test_the_canary_is_a_page_with_a_table() -> None:
    from mmsearch_core.adapters.pymupdf_document import open_document
    from mmsearch_core.settings import Decode

    (page,) = open_document(canary.document(), Decode())
    assert "Waist" in page.text
    assert canary.of_tables(FakeTableReader()) is None


def test_the_line_reads_tables_after_decode() -> None:
    assert INDEX.index("decode") < INDEX.index("read_tables") < INDEX.index("embed_text")
