"""What every reader of tables keeps to."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmsearch_core.adapters.page_tables import PageTableReader
from mmsearch_core.errors import BadRecord
from mmsearch_core.ports.media import TableReader
from mmsearch_core.records.table import Table
from mmsearch_core.settings import Decode
from mmsearch_core.testing.fake_tables import FakeTableReader
from tests.documents.made import pdf
from tests.stages.test_read_tables import lines
from tests.tables.made import Grid, Sheet, Style, document

CHART: Grid = [["Size", "Waist cm"], ["M", "80.5"], ["L", "84"]]
SECOND: Grid = [["Part", "g"], ["Sole", "310"]]


@dataclass(frozen=True, kw_only=True)
class Read:
    """A reader, and what makes a document that it can read, page by page: a table or none."""

    reader: TableReader
    document: Callable[..., bytes]


@pytest.fixture(params=["fake", pytest.param("pages", marks=pytest.mark.integration)])
def read(request: pytest.FixtureRequest) -> Read:
    """The fake, and the reader of printed tables, with documents of its own."""
    if request.param == "fake":
        return Read(reader=FakeTableReader(), document=barred)
    return Read(reader=PageTableReader(Decode(processes=1)), document=ruled)


def barred(*pages: Grid | None) -> bytes:
    """Tables as the fake reads them."""
    drawn = []
    for page in pages:
        said = [" | ".join(row) for row in page] if page else ["Care"]
        drawn.append(lines(*said))
    return pdf(*drawn)


def ruled(*pages: Grid | None) -> bytes:
    """Tables as they are printed."""

    def of_page(grid: Grid | None) -> Callable[[object], None]:
        def draw(page: object) -> None:
            sheet = Sheet(page)
            sheet.heading("Care")
            sheet.prose()
            if grid:
                sheet.table(grid, Style())

        return draw

    return document(*map(of_page, pages))


def tables(answer: dict[int, list[Table]] | BadRecord) -> dict[int, list[Table]]:
    assert isinstance(answer, dict), answer
    return answer


def test_there_is_one_answer_per_document_in_order(read: Read) -> None:
    data = read.document(None, CHART, SECOND)
    first, second = map(tables, read.reader.read([(data, [2]), (data, [1, 3])]))
    assert (list(first), list(second)) == ([2], [3])


def test_pages_that_were_not_asked_for_or_are_not_there_are_not_answered(read: Read) -> None:
    data = read.document(None, CHART)
    assert read.reader.read([(data, [1]), (data, [7]), (data, [])]) == [{}, {}, {}]
    assert read.reader.read([]) == []


def test_cells_stand_in_their_rows_and_columns_within_the_page(read: Read) -> None:
    (answer,) = read.reader.read([(read.document(CHART), [1])])
    ((table,),) = tables(answer).values()
    assert (table.number, table.rows, table.columns, table.header_rows) == (0, 3, 2, 1)
    said = {(cell.row, cell.column): cell.text for cell in table.cells}
    assert said == {
        (row, column): text for row, texts in enumerate(CHART) for column, text in enumerate(texts)
    }
    for left, top, right, bottom in [table.box, *[cell.box for cell in table.cells]]:
        assert 0 <= left < right <= 1000
        assert 0 <= top < bottom <= 1000
    tops = [cell.box[1] for cell in table.cells if cell.column == 0]
    assert tops == sorted(set(tops))
    assert table.source == "text layer"
    assert 0 < table.confidence <= 1


def test_a_file_reads_as_its_bytes_do(read: Read, tmp_path: Path) -> None:
    data = read.document(CHART)
    path = tmp_path / "sizes"
    path.write_bytes(data)
    of_file, of_bytes = read.reader.read([(path, [1]), (data, [1])])
    assert of_file == of_bytes
    assert tables(of_file)


def test_what_is_no_document_is_an_error_of_its_own(read: Read) -> None:
    bad, good = read.reader.read([(b"%PDF-1.7 and no more", [1]), (read.document(CHART), [1])])
    assert isinstance(bad, BadRecord)
    assert list(tables(good)) == [1]


def test_the_name_does_not_change(read: Read) -> None:
    assert read.reader.name == type(read.reader).name
