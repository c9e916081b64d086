"""Opening what lies in the bucket."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mmsearch_core.errors import BadRecord
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.segment import Decoded

Content = Path | bytes  # a file, or the bytes of a small one
Item = tuple[Kind, Content]


class Decoder(Protocol):
    """Assets to normalised pictures."""

    def decode(self, items: Sequence[Item]) -> list[list[Decoded] | BadRecord]:
        """One answer an item, in order; an item that cannot be opened comes back as its error."""
