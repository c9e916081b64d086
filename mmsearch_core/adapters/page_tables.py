"""A reader of tables that finds none, in the place of one that does."""

from collections.abc import Sequence

from mmsearch_core.errors import BadRecord
from mmsearch_core.ports.media import Content
from mmsearch_core.records.table import Table
from mmsearch_core.settings import Decode


class PageTableReader:
    """Finds no table on any page."""

    name = "no tables 1"

    def __init__(self, settings: Decode) -> None:
        self._settings = settings

    def read(
        self, documents: Sequence[tuple[Content, Sequence[int]]]
    ) -> list[dict[int, list[Table]] | BadRecord]:
        """No tables of any document."""
        return [{} for _ in documents]
