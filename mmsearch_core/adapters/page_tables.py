"""Tables of documents, read in child processes."""

from collections.abc import Sequence

from mmsearch_core.adapters.document_tables import MODULES, READER, read_tables
from mmsearch_core.adapters.isolated_calls import Call, IsolatedCalls
from mmsearch_core.errors import BadRecord
from mmsearch_core.ports.media import Content
from mmsearch_core.records.table import Table
from mmsearch_core.settings import Decode


class PageTableReader:
    """Reads the tables of PDFs whose pages hold text."""

    name = READER

    def __init__(self, settings: Decode) -> None:
        self._settings = settings
        self._calls: IsolatedCalls[dict[int, list[Table]]] = IsolatedCalls(
            settings, modules=(__name__, *MODULES)
        )

    def read(
        self, documents: Sequence[tuple[Content, Sequence[int]]]
    ) -> list[dict[int, list[Table]] | BadRecord]:
        return self._calls.answers([self._call(*document) for document in documents])

    def _call(self, content: Content, pages: Sequence[int]) -> Call[dict[int, list[Table]]]:
        return Call(
            work=read_tables,
            arguments=(content, tuple(pages), self._settings),
            kind="document",
            limit="table_seconds",
        )
