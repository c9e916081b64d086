"""What the line needs from the outside, as small protocols. Every implementation, real or fake,
passes the same contract tests (``tests/contracts``). All raise ``TryLater`` when the other side is
away and ``StopEverything`` when it refuses for good; neither is repeated below."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

from mmsearch_core.errors import BadRecord
from mmsearch_core.records.asset import Asset, Change, Kind, ObjectRef, Product
from mmsearch_core.records.commit import Known, Made, Writing
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.feed import FeedState
from mmsearch_core.records.ids import (
    AssetId,
    BatchId,
    Build,
    PixelsId,
    ProductId,
    RecipeId,
    RowId,
    TargetId,
)
from mmsearch_core.records.message import Message
from mmsearch_core.records.question import Question
from mmsearch_core.records.ranking import Match, PairScore
from mmsearch_core.records.row import IndexRow, StoredRow
from mmsearch_core.records.run import BatchStatus, Failure, OpenBatch, Target
from mmsearch_core.records.segment import Decoded

# the source of the batch that stands for a collection to be built again
LOST = "compare: the collection was lost"


class ObjectStore(Protocol):
    """One bucket. Keys are any UTF-8 text; listings promise no order."""

    bucket: str

    def list(self, prefix: str = "") -> Iterator[ObjectRef]:
        """Every object under the prefix."""

    def head(self, key: str) -> ObjectRef | None:
        """The object as it is now, or None where there is none."""

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        """The bytes, or None where there is no object; PreconditionFailed if its ETag is not
        ``if_match``."""

    def download(self, key: str, path: Path, *, if_match: str | None = None) -> ObjectRef | None:
        """Write the object's bytes to a file, never all of them in memory, and return the object as
        it was then; None, and no file, where there is no object. PreconditionFailed if its ETag is
        not ``if_match``, or if the object is replaced meanwhile."""

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        """Write and return the ETag. ``if_none_match``: only where nothing is; ``if_match``: only
        over that ETag. Raises PreconditionFailed when the condition does not hold."""

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove these objects, in few requests; no error where there is none."""

    def folders(self, prefix: str) -> Iterator[str]:
        """The names directly under the prefix (which ends in a slash) that have objects under them,
        without slashes."""


class ChangeFeed(Protocol):
    """Messages that say where something may have changed: in any order, some of them twice. One
    that was received is hidden for ``hidden_seconds`` and then comes again, unless it was
    deleted."""

    def waiting(self) -> int:
        """About how many messages can be received now."""

    def receive(self, limit: int, *, wait: float) -> list[Message]:
        """Some messages, at most ``limit``; waits up to ``wait`` seconds for the first, and is
        empty if none came."""

    def delete(self, messages: Sequence[Message]) -> None:
        """These will not come again; no error where one is gone already."""


EDITION = "edition"


class Memo(Protocol):
    """What was already computed. Keys of the memo are (recipe, content); the first answer written
    stays. Where answers of a recipe were made anew, the answer under the key ``EDITION`` is another
    than before."""

    def get_many(self, recipe: RecipeId, keys: Sequence[str]) -> dict[str, bytes]:
        """The known ones among ``keys``."""

    def put_many(self, recipe: RecipeId, answers: Mapping[str, bytes]) -> dict[str, bytes]:
        """Remember the answers; returns what stands now, which is another's answer where that came
        first."""

    def forget(self, recipe: RecipeId, keys: Sequence[str]) -> None:
        """Remember these answers no more; unknown ones are no error."""

    def judgements(self, recipe: RecipeId, query: str) -> list[PairScore]:
        """Every score that was ever given to a pair of this query under this recipe."""

    def add_judgements(self, recipe: RecipeId, query: str, judgements: Sequence[PairScore]) -> None:
        """Fold scores into the query's one object; an existing pair keeps its first score. May be
        called from several threads, each for another query."""


class Decoder(Protocol):
    """Bytes of an asset to normalised pictures."""

    def decode(self, items: Sequence[tuple[Kind, bytes]]) -> list[list[Decoded] | BadRecord]:
        """One answer an item, in order; an item that cannot be opened comes back as its error."""


class VisionLanguageModel(Protocol):
    """Qwen3-VL, behind whatever engine."""

    @property
    def name(self) -> str:
        """Model and revision, for recipes."""

    def answer(self, questions: Sequence[Question]) -> list[str | BadRecord]:
        """JSON text that fits each question's schema, in order; an item that failed comes back as
        its error."""

    def choose(
        self, questions: Sequence[Question], labels: tuple[str, str]
    ) -> list[float | BadRecord]:
        """The likelihood of the first label against the second as first token of the answer, 0 to
        1."""


class Embedder(Protocol):
    """CLIP or SBERT: unit vectors of text (str) or of encoded pictures (bytes)."""

    @property
    def name(self) -> str:
        """Model and revision, for recipes."""

    @property
    def space(self) -> str:
        """What its vectors are called in files and in the index."""

    @property
    def dimension(self) -> int:
        """Floats a vector."""

    def embed(self, items: Iterable[str | bytes]) -> list[Vector | BadRecord]:
        """One vector an item, shape (dimension,), in order; an item that failed comes back as its
        error. Items may be read while earlier ones are embedded."""


class VectorIndex(Protocol):
    """Milvus: collections of rows. Reads see every acknowledged write. ``writer`` is the fencing
    token of the lease under which rows are written. StageMissing where rows go to a collection that
    is not there."""

    def create(self, collection: str, dimensions: Mapping[str, int]) -> str:
        """Make the collection with one vector field a space, unless it is there, and return its
        uuid."""

    def uuid(self, collection: str) -> str | None:
        """The uuid given at creation, or None where there is no such collection."""

    def upsert(self, collection: str, rows: Sequence[IndexRow], *, writer: int = 0) -> None:
        """Write rows by primary key, beside older builds."""

    def retire(
        self, collection: str, keep: Mapping[AssetId, Collection[RowId]], *, writer: int = 0
    ) -> int:
        """Delete the rows of these assets other than those to keep; returns how many. Rows of later
        writers stay: one that lost its lease while it slept takes nothing from its successor."""

    def remove_rows(
        self, collection: str, rows: Sequence[RowId], *, writer: int = 0
    ) -> list[RowId]:
        """Delete these rows, but for those of later writers; returns those that were there."""

    def search(
        self, collection: str, space: str, vectors: Sequence[Vector], limit: int
    ) -> list[list[Match]]:
        """The nearest rows to each vector by cosine similarity, best first; one batched call."""

    def search_text(
        self, collection: str, language: str, texts: Sequence[str], limit: int
    ) -> list[list[Match]]:
        """The best rows for each text by BM25 in the language ("en", "zh"); a text without words
        finds nothing."""

    def builds(self, collection: str) -> Iterator[tuple[str, AssetId, Build]]:
        """(row id, asset, build) of every row."""

    def row_columns(self, collection: str) -> Iterator[pa.RecordBatch]:
        """``ROW_COLUMNS`` of every row; ``content`` is "" in a collection of an earlier schema."""

    def rows_of(self, collection: str, assets: Sequence[AssetId]) -> Iterator[StoredRow]:
        """The rows of these assets, vectors included."""

    def rows_between(self, collection: str, first: str, last: str) -> Iterator[StoredRow]:
        """The rows with ``first <= row id < last``, vectors included."""

    def greatest_writer(self, collection: str) -> int:
        """The greatest fencing token under which a row was written; 0 where there is no row."""

    def pixels(self, collection: str) -> Iterator[tuple[AssetId, PixelsId]]:
        """(asset, pixels) of every row; several rows of an asset may refer to the same pixels."""

    def resolve(self, alias: str) -> str | None:
        """The collection that the alias names."""

    def switch(self, alias: str, collection: str) -> None:
        """Point the alias, made if need be, at the collection."""

    def drop(self, collection: str) -> None:
        """Remove the collection; no error where there is none."""


class Ledger(Protocol):
    """The commit record: for every asset and target what is live, and what is being written."""

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

    def commit_number(self, target: TargetId) -> int:
        """How many commits this target has seen."""

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

    def take_lease(self, name: str, *, holder: str, seconds: float) -> int:
        """A fencing token greater than any before it; the same holder renews and keeps its token
        while the lease lasts; Busy while another holder's lease has not run out."""

    def give_lease(self, name: str, *, holder: str) -> None:
        """Give the lease back, if it is ours."""

    def raise_token(self, name: str, at_least: int) -> None:
        """Tokens of the lease that are taken from now on are greater than ``at_least``: rows may
        carry greater ones than a new or restored ledger knows of. A holder whose token was raised
        has lost the lease."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where truth lies; ``inventory`` is where S3 Inventory writes its reports, if the bucket is
    compared by them."""

    catalog: ObjectStore
    work: ObjectStore
    ledger: Ledger
    index: VectorIndex
    inventory: ObjectStore | None = None
