"""Opening what lies in the bucket."""

from collections.abc import Sequence
from typing import Protocol

from mmsearch_core.errors import BadRecord
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.segment import Decoded


class Decoder(Protocol):
    """Bytes of an asset to normalised pictures."""

    def decode(self, items: Sequence[tuple[Kind, bytes]]) -> list[list[Decoded] | BadRecord]:
        """One answer an item, in order; an item that cannot be opened comes back as its error."""
