"""A reader of tables that needs no lines and no model: it reads what tests print as a table."""

from collections.abc import Sequence

from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.errors import BadRecord, UnreadableMedia
from mmsearch_core.ports.media import Content
from mmsearch_core.records.segment import Decoded, Page
from mmsearch_core.records.table import Box, Cell, Table
from mmsearch_core.settings import Decode

BETWEEN, ILL = "|", "unreadable table"
WHOLE: Box = (0, 0, 1000, 1000)


class FakeTableReader:
    """Every line of a page that has bars ("size | waist") is a row of the page's one table, the
    first its header. A page that says "unreadable table" makes a document that is asked for it
    fail. ``calls`` counts pages asked for."""

    name = "fake-tables"

    def __init__(self) -> None:
        self.calls = 0

    def read(
        self, documents: Sequence[tuple[Content, Sequence[int]]]
    ) -> list[dict[int, list[Table]] | BadRecord]:
        """The tables of each document's pages."""
        return [self._read(content, pages) for content, pages in documents]

    def _read(self, content: Content, pages: Sequence[int]) -> dict[int, list[Table]] | BadRecord:
        self.calls += len(pages)
        try:
            decoded = open_document(content, Decode())
        except BadRecord as error:
            return error
        found: dict[int, list[Table]] = {}
        for page in decoded:
            assert isinstance(page.where, Page)
            if page.where.number not in pages:
                continue
            if ILL in page.text:
                return UnreadableMedia("The table of the page is damaged.")
            if rows := _rows(page):
                found[page.where.number] = [table_of(rows)]
        return found


def table_of(rows: Sequence[Sequence[str]], *, number: int = 0) -> Table:
    """A table of these rows of texts, the first of which is its header; its boxes are stripes."""
    columns = max(len(row) for row in rows)
    cells = []
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            box = (
                1000 * column // columns,
                1000 * row // len(rows),
                1000 * (column + 1) // columns,
                1000 * (row + 1) // len(rows),
            )
            if text:
                cells.append(Cell(row=row, column=column, text=text, box=box))
    return Table(
        number=number,
        box=WHOLE,
        rows=len(rows),
        columns=columns,
        header_rows=1,
        cells=tuple(cells),
        source="text layer",
        confidence=1.0,
    )


def _rows(page: Decoded) -> list[list[str]]:
    lines = [line for line in page.text.splitlines() if BETWEEN in line]
    return [_texts(line) for line in lines]


def _texts(line: str) -> list[str]:
    return [text.strip() for text in line.split(BETWEEN)]
