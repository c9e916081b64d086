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
    """Documents with a text layer to their tables."""

    name: str  # and version: with another, the tables may be read otherwise

    def read(
        self, documents: Sequence[tuple[Content, Sequence[int]]]
    ) -> list[dict[int, list[Table]] | BadRecord]:
        """For each document, in order, the tables of the pages that are asked for, which are
        counted from 1; pages without tables are absent. A document that cannot be read comes back
        as its error."""
