"""The ledger, by what is asked of it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

import pyarrow as pa

from mmsearch_core.records.asset import Asset, Change, Product
from mmsearch_core.records.batch import BatchStatus, OpenBatch
from mmsearch_core.records.commit import Known, Made, Writing
from mmsearch_core.records.feed import FeedState
from mmsearch_core.records.ids import (
    AssetId,
    BatchId,
    Build,
    ProductId,
    TargetId,
)
from mmsearch_core.records.report import Failure
from mmsearch_core.records.target import Target

# the source of the batch that stands for a collection to be built again
LOST = "compare: the collection was lost"


class Targets(Protocol):
    """The indexes that there are."""

    def targets(self) -> list[Target]:
        """Targets that are not retired, oldest first."""

    def add_target(self, target: Target) -> Target:
        """Record the target, or return the one already there under its id with its uuid set to
        ``target``'s; where the uuid differs (the collection was lost) everything known of that
        target is forgotten, and an open batch with the source ``LOST`` stands for all that is
        missing until it is superseded."""

    def set_status(self, target: TargetId, status: Literal["live", "retired"]) -> None:
        """Live: the one that was live goes on as "building". Retired: all that is known of it is
        forgotten."""

    def commit_number(self, target: TargetId) -> int:
        """How many commits this target has seen."""


class Assets(Protocol):
    """For every asset and target: what is live, what is being written, and what failed."""

    def known(self, target: TargetId, *, prefix: str = "") -> Iterator[list[Known]]:
        """Everything known under the key prefix, in batches; never all at once."""

    def known_columns(self, target: TargetId, *, prefix: str = "") -> Iterator[pa.RecordBatch]:
        """The same as it stands at one moment, as ``KNOWN_COLUMNS``, in no order: a quarter of the
        cost of records."""

    def built_columns(
        self, target: TargetId, assets: Sequence[AssetId] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """``BUILT_COLUMNS`` of these assets, or of all: what of each is live, in no order."""

    def look_up(self, target: TargetId, assets: Sequence[AssetId]) -> dict[AssetId, Known]:
        """What is known of these assets; unknown ones are left out."""

    def begin(self, target: TargetId, writings: Sequence[Writing], *, token: int) -> set[AssetId]:
        """One transaction: each asset's target build and state "writing"; returns those of which no
        later observation is known. Attempts begin anew where the source version is another. Here
        and below Busy if ``token`` is not that of the current lease of ``index:<target>``."""

    def commit(self, target: TargetId, made: Mapping[AssetId, Made], *, token: int) -> set[AssetId]:
        """One transaction: these builds become live, each only if it is still the asset's target
        build; returns those that did. The commit number rises by one. The state stays "writing",
        since older rows lie there yet. What failed of a build is kept, and its attempts counted, as
        ``fail`` does."""

    def settle(self, target: TargetId, builds: Mapping[AssetId, Build], *, token: int) -> None:
        """No rows but those of these live builds are left of their assets: state "live"."""

    def doubt(self, target: TargetId, changes: Sequence[Change]) -> None:
        """These assets, known or not, count as changed until settled; it needs no token, since it
        only causes work."""

    def forget(self, target: TargetId, assets: Sequence[AssetId], *, token: int) -> None:
        """The assets are gone from the bucket: they are no longer known."""

    def fail(
        self, target: TargetId, failures: Mapping[AssetId, tuple[Writing, Failure]], *, token: int
    ) -> None:
        """These could not be made: no live build, the failure kept, attempts counted for this
        source version."""

    def wait_for_product(self, target: TargetId, assets: Sequence[Asset]) -> None:
        """Remember pictures whose feed line has not come; known ones stay as they are."""

    def counts(self, target: TargetId) -> dict[str, int]:
        """Assets by state, those among the live ones of which something failed ("incomplete"),
        products: for people."""

    def failures(self, target: TargetId, *, limit: int) -> list[tuple[str, Failure]]:
        """(key, failure) of assets that could not be made or lack something, newest first."""

    def redrivable(
        self, target: TargetId, *, attempts: int, kinds: Collection[str] = (), limit: int
    ) -> list[tuple[str, Failure]]:
        """(key, failure) of those that were tried fewer than ``attempts`` times, of these kinds or
        of all: first what was never re-driven, then what was longest ago."""

    def set_redriven(self, target: TargetId, assets: Sequence[AssetId]) -> None:
        """These were re-driven now: all others have their turn before them."""

    def parked(
        self, target: TargetId, *, attempts: int, kinds: Collection[str] = ()
    ) -> dict[tuple[str, str], int]:
        """How many failures were tried ``attempts`` times or more, by (stage, kind)."""


class Products(Protocol):
    """The products of the shop's feed."""

    def feed_state(self, feed: str) -> FeedState | None:
        """The state of this feed that the products are of, or are becoming of; None where they are
        of none or of another feed. ``feed`` is bucket and key."""

    def begin_feed(
        self, feed: str, *, version: str, modified_at: datetime, instead_of: FeedState | None
    ) -> FeedState:
        """Record that this state of the feed is being taken; from then on nobody writes products of
        another one. FeedReplaced if what is recorded is no longer ``instead_of``. The token rises,
        unless the version is the same: several processes may take one state at once."""

    def put_products(
        self, state: FeedState, products: Iterable[Product], gone: Iterable[ProductId]
    ) -> None:
        """Record these products and forget those that are gone, in several transactions;
        FeedReplaced, and no further write, once another state than ``state`` is begun."""

    def end_feed(self, state: FeedState) -> None:
        """All of this state is taken and handed out; no effect where another is begun."""

    def products(self, ids: Sequence[ProductId]) -> dict[ProductId, Product]:
        """These products; unknown ones are left out."""

    def product_texts(self) -> Iterator[list[tuple[ProductId, str]]]:
        """(product, text digest) of all products, in batches."""

    def product_columns(self) -> Iterator[pa.RecordBatch]:
        """All products as they stand at one moment, as ``PRODUCT_COLUMNS``, in no order."""

    def assets_of_products(self, target: TargetId, products: Sequence[ProductId]) -> list[Known]:
        """What is known of the assets of these products, in no order."""


class Batches(Protocol):
    """The batches that were handed out, and how they ended."""

    def open_batch(self, batch: BatchId, *, target: TargetId, source: str) -> None:
        """Record that a batch was handed out; no effect where it is known."""

    def close_batch(
        self, batch: BatchId, *, status: Literal["done", "failed"], counts: Mapping[str, int]
    ) -> None:
        """Record how a batch ended."""

    def open_batches(self, target: TargetId) -> int:
        """How many batches of the target were handed out and are not done."""

    def unfinished_batches(self, target: TargetId) -> list[OpenBatch]:
        """The batches of the target that were handed out and are neither done nor superseded,
        oldest first."""

    def batch_status(self, batch: BatchId) -> BatchStatus | None:
        """How the batch stands; None where it was never handed out."""

    def supersede_batches(self, batches: Sequence[BatchId]) -> None:
        """These batches, where they are not done, need not be: others were handed out for all that
        they left."""


class Leases(Protocol):
    """Who may write, one at a time."""

    def take_lease(self, name: str, *, holder: str, seconds: float) -> int:
        """A fencing token greater than any before it; the same holder renews and keeps its token
        while the lease lasts; Busy while another holder's lease has not run out."""

    def give_lease(self, name: str, *, holder: str) -> None:
        """Give the lease back, if it is ours."""

    def raise_token(self, name: str, at_least: int) -> None:
        """Tokens of the lease that are taken from now on are greater than ``at_least``: rows may
        carry greater ones than a new or restored ledger knows of. A holder whose token was raised
        has lost the lease."""


class Ledger(Targets, Assets, Products, Batches, Leases, Protocol):
    """The commit record: all of it, in one database."""
