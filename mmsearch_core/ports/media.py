"""Opening what lies in the bucket."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mmsearch_core.errors import BadRecord
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.segment import Decoded
from mmsearch_core.records.table import Table

Content = Path | bytes  # a file, or the bytes of a small one
Item = tuple[Kind, Content]


class Decoder(Protocol):
    """Assets to normalised pictures."""

    def decode(self, items: Sequence[Item]) -> list[list[Decoded] | BadRecord]:
        """One answer an item, in order; an item that cannot be opened comes back as its error."""


class TableReader(Protocol):
    """The tables of documents, where the document's own text says what stands in them."""

    name: str  # engines and versions; another name may read other tables

    def read(
        self, documents: Sequence[tuple[Content, Sequence[int]]]
    ) -> list[dict[int, list[Table]] | BadRecord]:
        """One answer per document, in order: the tables of each page that has any.

        :param documents: each with the numbers of the pages to read, the first page is 1. A number
            that the document does not have is no error.

        A document that cannot be read comes back as its error.
        """
