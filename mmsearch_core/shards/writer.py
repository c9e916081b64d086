"""The one writer of an index at a time."""

from mmsearch_core.errors import Busy
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.ids import (
    TargetId,
)


class Writer:
    """The lease of a target's one writer, as a context manager; ``token`` fences what is written
    under it."""

    def __init__(
        self, stores: Stores, target: TargetId, collection: str, *, holder: str, seconds: float
    ) -> None:
        self._stores, self._collection = stores, collection
        self._name, self._holder, self._seconds = f"index:{target}", holder, seconds

    def __enter__(self) -> "Writer":
        self.token = self._take()
        if (
            self.token == 1
        ):  # a ledger that never had a writer, yet the rows may be another ledger's
            self.overtake(self._stores.index.greatest_writer(self._collection))
        return self

    def __exit__(self, *_: object) -> None:
        self._stores.ledger.give_lease(self._name, holder=self._holder)

    def renew(self) -> None:
        """Before a step that may take long; Busy if the lease ran out meanwhile."""
        if self._take() != self.token:
            raise Busy(f"The lease {self._name} ran out: this process must not write any more.")

    def overtake(self, greatest: int) -> None:
        """Rows carry tokens up to ``greatest``: take one over it, or none of them could be replaced
        or removed. A ledger that is new or was restored counts from where it stands, and clocks may
        be wrong."""
        if greatest > self.token:
            self._stores.ledger.raise_token(self._name, greatest)
            self.token = self._take()

    def _take(self) -> int:
        return self._stores.ledger.take_lease(
            self._name, holder=self._holder, seconds=self._seconds
        )
