"""The parts: each is made when it is first asked for, or taken as given."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack, cast
from urllib.parse import urlsplit

from mmsearch_core.media import KINDS, Kinds
from mmsearch_core.media.document import DOCUMENT
from mmsearch_core.media.picture import PICTURE
from mmsearch_core.media.video import VIDEO
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.vocabulary import Vocabulary
from mmsearch_core.settings import Settings
from mmsearch_core.vocabulary import load as load_vocabulary

if TYPE_CHECKING:
    from mmsearch_core.ports.index import VectorIndex
    from mmsearch_core.ports.ledger import Ledger
    from mmsearch_core.ports.media import Decoder, TableReader
    from mmsearch_core.ports.models import Embedder, VisionLanguageModel
    from mmsearch_core.ports.stores import ChangeFeed, Memo, ObjectStore

Part = TypeVar("Part")


class Given(TypedDict, total=False):
    """Parts that are taken as given instead of being made as the settings say."""

    catalog: ObjectStore
    work: ObjectStore
    query_log: ObjectStore
    inventory: ObjectStore | None
    changes: ChangeFeed
    ledger: Ledger
    index: VectorIndex
    memo: Memo
    decoder: Decoder
    table_reader: TableReader
    vlm: VisionLanguageModel
    clip: Embedder
    sbert: Embedder


class Parts:
    """The parts that the settings name. Adapters, and the libraries that they bring, are imported
    with the part that needs them: whoever reads results loads no model."""

    def __init__(
        self,
        settings: Settings,
        *,
        redo: tuple[str, ...] = (),
        kinds: Kinds = KINDS,
        **given: Unpack[Given],
    ) -> None:
        """``redo`` names stages that ask their models again, whatever the memo holds; ``kinds`` are
        the kinds of assets."""
        self.settings = settings
        self.redo = redo
        self.kinds = kinds
        self._parts: dict[str, Any] = dict(given)

    def having(
        self,
        *,
        settings: Settings | None = None,
        redo: tuple[str, ...] | None = None,
        kinds: Kinds | None = None,
        without: tuple[str, ...] = (),
        **given: Unpack[Given],
    ) -> Self:
        """The same whole but for these parts; what was made already is shared.

        :param without: names of parts that are made anew when they are asked for.
        """
        kept = {name: part for name, part in self._parts.items() if name not in without}
        return type(self)(
            settings or self.settings,
            redo=self.redo if redo is None else redo,
            kinds=self.kinds if kinds is None else kinds,
            **cast("Given", {**kept, **given}),
        )

    @property
    def catalog(self) -> ObjectStore:
        return self._part("catalog", lambda: self._bucket(self.settings.catalog.bucket))

    @property
    def work(self) -> ObjectStore:
        return self._part("work", lambda: self._bucket(self.settings.work.bucket, probed=True))

    @property
    def query_log(self) -> ObjectStore:
        return self._part("query_log", lambda: self._bucket(self.settings.query_log.bucket))

    @property
    def inventory(self) -> ObjectStore | None:
        return self._part("inventory", self._make_inventory)

    @property
    def changes(self) -> ChangeFeed:
        return self._part("changes", self._make_changes)

    @property
    def ledger(self) -> Ledger:
        return self._part("ledger", self._make_ledger)

    @property
    def index(self) -> VectorIndex:
        return self._part("index", self._make_index)

    @property
    def memo(self) -> Memo:
        return self._part("memo", self._make_memo)

    @property
    def decoder(self) -> Decoder:
        return self._part("decoder", self._make_decoder)

    @property
    def table_reader(self) -> TableReader:
        return self._part("table_reader", self._make_table_reader)

    @property
    def vlm(self) -> VisionLanguageModel:
        return self._part("vlm", self._make_vlm)

    @property
    def clip(self) -> Embedder:
        return self._part("clip", self._make_clip)

    @property
    def sbert(self) -> Embedder:
        return self._part("sbert", self._make_sbert)

    @cached_property
    def stores(self) -> Stores:
        """Where truth lies."""
        return Stores(
            catalog=self.catalog,
            work=self.work,
            ledger=self.ledger,
            index=self.index,
            inventory=self.inventory,
        )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The shop's words."""
        return load_vocabulary(self.settings.search.vocabulary)

    def _part(self, name: str, make: Callable[[], Part]) -> Part:
        if name not in self._parts:
            self._parts[name] = make()
        return cast(Part, self._parts[name])

    def _bucket(self, bucket: str, *, probed: bool = False) -> ObjectStore:
        from mmsearch_core.adapters.s3_store import S3Store

        return S3Store(bucket=bucket, settings=self.settings.store, probed=probed)

    def _make_inventory(self) -> ObjectStore | None:
        address = self.settings.catalog.inventory
        return self._bucket(urlsplit(address).netloc) if address else None

    def _make_changes(self) -> ChangeFeed:
        from mmsearch_core.adapters.sqs_feed import SqsFeed

        return SqsFeed(self.settings.queue, region=self.settings.store.region)

    def _make_ledger(self) -> Ledger:
        from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger

        return SqlLedger(self.settings.ledger.url)

    def _make_index(self) -> VectorIndex:
        from mmsearch_core.adapters.milvus_index import MilvusIndex

        token = self.settings.index.token
        return MilvusIndex(self.settings.index.uri, token.get_secret_value() if token else None)

    def _make_memo(self) -> Memo:
        from mmsearch_core.adapters.object_memo import ObjectMemo

        return ObjectMemo(self.work)

    def _make_decoder(self) -> Decoder:
        from mmsearch_core.adapters import pillow_picture, pymupdf_document, video
        from mmsearch_core.adapters.isolated_decoder import IsolatedDecoder, Opener

        openers: dict[str, Opener] = {
            PICTURE.name: pillow_picture.open_picture,
            VIDEO.name: video.open_video,
            DOCUMENT.name: pymupdf_document.open_document,
        }
        modules = (*pillow_picture.MODULES, *video.MODULES, *pymupdf_document.MODULES)
        return IsolatedDecoder(self.settings.decode, openers, modules=modules)

    def _make_table_reader(self) -> TableReader:
        from mmsearch_core.adapters.page_tables import PageTableReader

        return PageTableReader(self.settings.decode)

    def _make_vlm(self) -> VisionLanguageModel:
        from mmsearch_core.adapters.transformers_vlm import TransformersVLM

        return TransformersVLM(self.settings.models)

    def _make_clip(self) -> Embedder:
        from mmsearch_core.adapters.open_clip_embedder import OpenClipEmbedder

        return OpenClipEmbedder(self.settings.models)

    def _make_sbert(self) -> Embedder:
        from mmsearch_core.adapters.sbert_embedder import SbertEmbedder

        return SbertEmbedder(self.settings.models)
