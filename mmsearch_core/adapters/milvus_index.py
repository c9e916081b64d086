"""Milvus through pymilvus: Lite behind its server, Standalone or Distributed, by address alone."""

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from more_itertools import chunked
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from mmsearch_core.adapters.milvus_errors import milvus_error
from mmsearch_core.errors import BadSettings, SchemaMismatch, StageMissing
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    PassageId,
    PixelsId,
    ProductId,
    RowId,
    SegmentId,
)
from mmsearch_core.records.ranking import Match
from mmsearch_core.records.row import LONGEST_TEXT, ROW_COLUMNS, IndexRow, StoredRow
from mmsearch_core.records.segment import PassageKind, Where, Whole, parse_kind, parse_where

SCHEMA = "mmsearch-4"
# an index of an earlier schema is searched until the next one is built: "mmsearch-2" has no
# "content", and neither has "kind"
READABLE = (SCHEMA, "mmsearch-3", "mmsearch-2")
SECONDS = 15.0  # for one call; a server that is away must not hang a task
ROWS = 500  # rows per write: 64 MB a call is Milvus's limit
# per write: Lite finds the Chinese words of a call's texts within the call's time
TEXT_BYTES = 400_000
QUERIES = 64  # queries per search call, at most
ASSETS = 200  # assets a delete expression
ANSWER_BYTES = 48_000_000  # of a search call: Milvus sends 64 MB at most
MATCH_BYTES = LONGEST_TEXT + 2_000  # of a match: its text, and what else is shown
ATTEMPTS, PAUSE = 5, 0.5  # to make or read a collection; seconds, more with each attempt to make
NOT_LOADED = 101  # Milvus's code of a collection that has to be loaded before it is read
WHOLE = 1_500  # rows a read with their vectors and both texts, which have to fit such a call too
# rows a read of a few short fields: 16,384 is Milvus's limit, and every read costs Lite a scan
COLUMNS = 16_000
NOBODY = 1 << 62  # no fencing token is so great
IDS = ("row_id", "passage_id", "segment_id", "asset_id", "product_id", "build", "place", "pixels")
LATER = {"content": 16, "kind": 16}  # fields that earlier schemas lack, with their lengths
SHOWN = ("passage_id", "segment_id", "asset_id", "build", "kind", "place", "pixels", "text_en")
# the default analyzer finds nothing inside a Chinese phrase, and Lite refuses {"type": "chinese"}
ANALYZERS: dict[str, dict[str, Any]] = {
    "en": {"tokenizer": "standard", "filter": ["lowercase"]},
    "zh": {"tokenizer": "jieba"},
}
WORD = re.compile(r"\w")
QUOTABLE = re.compile(r"[\w.:-]+", re.ASCII)
UNREADABLE = "unreadable"  # instead of a digest
T = TypeVar("T")


class MilvusIndex:
    """Every read is Strong. Connects on first use."""

    def __init__(self, uri: str, token: str | None = None) -> None:
        self._uri, self._token = uri, token
        self._loaded: dict[str, frozenset[str]] = {}  # the names of their fields

    def create(self, collection: str, dimensions: Mapping[str, int]) -> str:
        """Several processes may do so at once, and one may have died over it: whoever comes adds
        what is missing, and nobody drops what another is making."""
        from pymilvus.exceptions import MilvusException

        problem: Exception | None = None
        for attempt in range(ATTEMPTS):
            finished = self.uuid(collection)
            if finished is not None:
                return finished
            time.sleep(attempt * random.uniform(0.5, 1.5) * PAUSE)  # noqa: S311 no secret
            try:
                self._add_missing(collection, dimensions)
            except MilvusException as error:  # mostly since another was faster
                problem = error
        finished = self.uuid(collection)
        if finished is None:
            problem = problem or MilvusException(
                message=f"{collection} is dropped while it is made"
            )
            raise milvus_error(problem, uri=self._uri) from problem
        return finished

    def _add_missing(self, collection: str, dimensions: Mapping[str, int]) -> None:
        """The collection, its indexes, each unless it is there; raises the errors of pymilvus."""
        if self._uuid_of(collection) is None:
            properties = {"mmsearch.schema": SCHEMA, "mmsearch.uuid": uuid.uuid4().hex}
            self._client.create_collection(
                collection, schema=_schema(dimensions), properties=properties, timeout=SECONDS
            )
        for field, options in _indexes(dimensions).items():
            if not self._client.list_indexes(collection, field_name=field, timeout=SECONDS):
                index = self._client.prepare_index_params()
                index.add_index(field, **options)
                self._client.create_index(collection, index, timeout=SECONDS)

    def uuid(self, collection: str) -> str | None:
        name = self._uuid_of(collection)
        return name if name is not None and self._is_finished(collection) else None

    def _uuid_of(self, collection: str) -> str | None:
        """The uuid, also of a collection that is being made."""
        try:
            with self._named_errors():
                if not self._client.has_collection(collection, timeout=SECONDS):
                    return None
                properties = self._client.describe_collection(collection, timeout=SECONDS)[
                    "properties"
                ]
        except StageMissing:  # dropped between the two calls
            return None
        made_by = properties.get("mmsearch.schema")
        if made_by not in READABLE:
            raise SchemaMismatch(
                f"The collection {collection} was made by another version"
                f" ({made_by or 'not by mmsearch'}): choose another index.alias, or drop it."
            )
        return str(properties["mmsearch.uuid"])

    def _is_finished(self, collection: str) -> bool:
        """Whether every vector field has its index, which is what is made last."""
        try:
            with self._named_errors():
                fields = self._client.describe_collection(collection, timeout=SECONDS)["fields"]
                indexes = self._client.list_indexes(collection, timeout=SECONDS)
        except StageMissing:
            return False
        return len(indexes) >= sum("VECTOR" in field["type"].name for field in fields)

    def upsert(self, collection: str, rows: Sequence[IndexRow], *, writer: int = 0) -> None:
        with self._named_errors():
            for piece in _pieces(rows):
                data = [{**_to_fields(row), "writer": writer} for row in piece]
                spaces = list(piece[0].vectors)
                if all(_has_vector(data, space) for space in spaces):
                    self._client.upsert(collection, data, timeout=4 * SECONDS)
                else:
                    self._upsert_with_filler(collection, data, spaces)

    def _upsert_with_filler(
        self, collection: str, data: list[dict[str, Any]], spaces: list[str]
    ) -> None:
        """Lite refuses a call in which no row has a vector of some space: one row more has them
        all, and goes again. Nobody is shown it meanwhile, since its asset is in no ledger."""
        fields = self._client.describe_collection(collection, timeout=SECONDS)["fields"]
        sizes = {
            field["name"]: field["params"]["dim"] for field in fields if field["name"] in spaces
        }
        filler = {
            **dict.fromkeys((*IDS, "text_en", "text_zh"), "f"),
            "place": "whole",
            **dict.fromkeys(LATER, ""),
            "writer": 0,
        }
        filler |= {space: [1.0] + [0.0] * (size - 1) for space, size in sizes.items()}
        self._client.upsert(collection, [*data, filler], timeout=4 * SECONDS)
        self._client.delete(collection, ids=[filler["row_id"]], timeout=SECONDS)

    def retire(
        self, collection: str, keep: Mapping[AssetId, Collection[RowId]], *, writer: int = 0
    ) -> int:
        names, gone = sorted(keep), list[RowId]()
        with self._named_errors():
            for piece in chunked(names, ASSETS):
                ours = f"asset_id in [{_quoted(piece)}] and writer <= {writer:d}"
                rows = self._query(collection, ours, ["row_id", "asset_id"])
                gone += [
                    RowId(row["row_id"])
                    for row in rows
                    if row["row_id"] not in keep[row["asset_id"]]
                ]
            self._delete(collection, gone, writer)
        return len(gone)

    def remove_rows(
        self, collection: str, rows: Sequence[RowId], *, writer: int = 0
    ) -> list[RowId]:
        there = list[RowId]()
        # of others nobody knows where they come from
        rows = [name for name in rows if QUOTABLE.fullmatch(name)]
        with self._named_errors():
            for piece in chunked(rows, ROWS):
                ours = f"row_id in [{_quoted(piece)}] and writer <= {writer:d}"
                there += [RowId(row["row_id"]) for row in self._query(collection, ours, ["row_id"])]
            self._delete(collection, there, writer)
        return there

    def _delete(self, collection: str, rows: Sequence[RowId], writer: int) -> None:
        for piece in chunked(rows, ROWS):
            ours = f"row_id in [{_quoted(piece)}] and writer <= {writer:d}"
            self._client.delete(collection, filter=ours, timeout=SECONDS)

    def search(
        self, collection: str, space: str, vectors: Sequence[Vector], limit: int
    ) -> list[list[Match]]:
        return self._search(
            collection, space, "COSINE", [vector.tolist() for vector in vectors], limit
        )

    def search_text(
        self, collection: str, language: str, texts: Sequence[str], limit: int
    ) -> list[list[Match]]:
        asked = [text for text in texts if WORD.search(text)]
        found = iter(self._search(collection, f"bm25_{language}", "BM25", asked, limit))
        return [next(found) if WORD.search(text) else [] for text in texts]

    def builds(self, collection: str) -> Iterator[tuple[str, AssetId, Build]]:
        with self._named_errors():
            for row in self._query(collection, "", ["row_id", "asset_id", "build"]):
                yield row["row_id"], AssetId(row["asset_id"]), Build(row["build"])

    def row_columns(self, collection: str) -> Iterator[pa.RecordBatch]:
        with self._named_errors():
            names = [name for name in ROW_COLUMNS.names if name in self._fields(collection)]
            for page in self._pages(collection, "", names, COLUMNS):
                arrays = [_column(page, field) for field in ROW_COLUMNS]
                yield pa.RecordBatch.from_arrays(arrays, schema=ROW_COLUMNS)

    def rows_of(self, collection: str, assets: Sequence[AssetId]) -> Iterator[StoredRow]:
        for piece in chunked(assets, ASSETS):
            yield from self._rows(collection, f"asset_id in [{_quoted(piece)}]")

    def rows_of_product(self, collection: str, product: ProductId) -> Iterator[StoredRow]:
        # a shop's own id: as JSON, no text in it ends the string
        return self._rows(collection, f"product_id == {json.dumps(product, ensure_ascii=False)}")

    def rows_between(self, collection: str, first: str, last: str) -> Iterator[StoredRow]:
        return self._rows(
            collection, f"row_id >= {_quoted([first])} and row_id < {_quoted([last])}"
        )

    def greatest_writer(self, collection: str) -> int:
        """Milvus has no maximum of a field: the interval is halved, with one row a question."""
        with self._named_errors():
            self._load(collection)
            low, high = 0, 1  # low is written under, high is not known to be greater than all
            while self._has_writer_over(collection, high - 1) and high < NOBODY:
                low, high = high, 2 * high
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (
                    (middle, high)
                    if self._has_writer_over(collection, middle - 1)
                    else (low, middle)
                )
            return low

    def _has_writer_over(self, collection: str, token: int) -> bool:
        over = f"writer > {token:d}"
        asked: dict[str, Any] = {"limit": 1, "consistency_level": "Strong", "timeout": 2 * SECONDS}
        return bool(self._client.query(collection, filter=over, output_fields=["writer"], **asked))

    def _rows(self, collection: str, expression: str) -> Iterator[StoredRow]:
        with self._named_errors():
            fields = self._fields(collection)
            spaces = [name for name, kind in fields.items() if kind == "FLOAT_VECTOR"]
            names = [*IDS, "writer", "text_en", "text_zh", *spaces, *(LATER.keys() & fields.keys())]
            for row in self._query(collection, expression, names, WHOLE):
                yield _to_stored(row, spaces)

    def pixels(self, collection: str) -> Iterator[tuple[AssetId, PixelsId]]:
        with self._named_errors():
            for row in self._query(collection, "", ["asset_id", "pixels"]):
                yield AssetId(row["asset_id"]), PixelsId(row["pixels"])

    def resolve(self, alias: str) -> str | None:
        with self._named_errors():  # describe_alias would log an error where there is none
            there = self._client.has_collection(alias, timeout=SECONDS)
            return (
                str(self._client.describe_collection(alias, timeout=SECONDS)["collection_name"])
                if there
                else None
            )

    def switch(self, alias: str, collection: str) -> None:
        with self._named_errors():
            point = self._client.alter_alias if self.resolve(alias) else self._client.create_alias
            point(collection, alias, timeout=SECONDS)

    def drop(self, collection: str) -> None:
        with self._named_errors():
            self._client.drop_collection(collection, timeout=SECONDS)

    def _search(
        self, collection: str, field: str, metric: str, data: Sequence[Any], limit: int
    ) -> list[list[Match]]:
        found: list[list[Match]] = []
        params = {"ef": max(64, limit)} if metric == "COSINE" else {}
        with self._named_errors():
            self._load(collection)
            shown = [name for name in SHOWN if name in self._loaded[collection]]
            for piece in chunked(data, queries_per_call(limit)):
                search = partial(
                    self._client.search,
                    collection,
                    data=piece,
                    anns_field=field,
                    limit=limit,
                    search_params={"metric_type": metric, "params": params},
                    output_fields=shown,
                    consistency_level="Strong",
                    timeout=2 * SECONDS,
                )
                found += map(_to_matches, self._while_loaded(collection, search))
        return found

    def _query(
        self, collection: str, expression: str, fields: list[str], size: int = COLUMNS
    ) -> Iterator[dict[str, Any]]:
        for page in self._pages(collection, expression, fields, size):
            yield from page

    def _pages(
        self, collection: str, expression: str, fields: list[str], size: int
    ) -> Iterator[list[dict[str, Any]]]:
        """Rows in pages of ``size``, in the order of their ids."""
        self._load(collection)
        query = partial(
            self._client.query_iterator,
            collection,
            filter=expression,
            output_fields=fields,
            batch_size=size,
            consistency_level="Strong",
            timeout=2 * SECONDS,  # of each page
        )
        pages = self._while_loaded(collection, query)
        try:
            while page := self._while_loaded(collection, pages.next):
                yield page
        finally:
            pages.close()

    def _fields(self, collection: str) -> dict[str, str]:
        """The names of the collection's fields and of their types."""
        fields = self._client.describe_collection(collection, timeout=SECONDS)["fields"]
        return {field["name"]: field["type"].name for field in fields}

    def _load(self, collection: str) -> None:
        """To load a loaded one costs a call, so each is loaded once, and again when it is not
        loaded any more."""
        if collection not in self._loaded:
            self._client.load_collection(collection, timeout=4 * SECONDS)
            self._loaded[collection] = frozenset(self._fields(collection))

    def _while_loaded(self, collection: str, read: Callable[[], T]) -> T:
        """What ``read`` returns. Lite forgets over a restart which collections were loaded, and may
        forget one that is loaded by somebody while somebody else deletes rows from it; others are
        released by people."""

        def load_again(_: object) -> None:
            self._loaded.pop(collection, None)
            self._load(collection)

        lasting = Retrying(
            retry=retry_if_exception(lambda error: getattr(error, "code", None) == NOT_LOADED),
            before_sleep=load_again,
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        return lasting(read)

    @cached_property
    def _client(self) -> Any:
        from pymilvus import MilvusClient

        # pymilvus pings every ten seconds; a server of gRPC's own defaults hangs up on whoever does
        # so within minutes
        quiet = {"grpc.keepalive_time_ms": 300_000}
        try:
            return MilvusClient(
                self._uri, token=self._token or "", timeout=SECONDS, grpc_options=quiet
            )
        except ValueError:  # of a port that is no number; its text may hold a password
            raise BadSettings("index.uri is not the address of a Milvus: correct it.") from None

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """The one place where errors of pymilvus become ours."""
        import grpc
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (grpc.RpcError, grpc.FutureTimeoutError, MilvusException) as error:
            raise milvus_error(error, uri=self._uri) from error


def _pieces(rows: Sequence[IndexRow]) -> Iterator[list[IndexRow]]:
    """The rows in pieces that fit a call."""
    piece: list[IndexRow] = []
    size = 0
    for row in rows:
        length = len(row.indexed_text.encode())
        if piece and (len(piece) == ROWS or size + length > TEXT_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += length
    if piece:
        yield piece


def _schema(dimensions: Mapping[str, int]) -> Any:
    """The fields of a collection, and the functions that make its lexical vectors of its texts."""
    from pymilvus import DataType, Function, FunctionType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    for field in IDS:
        length = 512 if field in ("product_id", "place") else 64
        schema.add_field(field, DataType.VARCHAR, max_length=length, is_primary=field == "row_id")
    for field, length in LATER.items():
        schema.add_field(field, DataType.VARCHAR, max_length=length)
    schema.add_field("writer", DataType.INT64)
    for language, analyzer in ANALYZERS.items():
        text, sparse = f"text_{language}", f"bm25_{language}"
        schema.add_field(
            text,
            DataType.VARCHAR,
            max_length=65_535,
            enable_analyzer=True,
            analyzer_params=analyzer,
        )
        schema.add_field(sparse, DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function(
                name=sparse,
                function_type=FunctionType.BM25,
                input_field_names=[text],
                output_field_names=[sparse],
            )
        )
    for space, dimension in dimensions.items():
        schema.add_field(space, DataType.FLOAT_VECTOR, dim=dimension, nullable=True)
    return schema


def _indexes(dimensions: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """The index of every vector field, in pymilvus' words."""
    lexical = {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "BM25"}
    dense = {
        "index_type": "HNSW",
        "metric_type": "COSINE",
        "params": {"M": 16, "efConstruction": 200},
    }
    return {
        **{f"bm25_{language}": lexical for language in ANALYZERS},
        **dict.fromkeys(dimensions, dense),
    }


def queries_per_call(limit: int) -> int:
    """How many queries one call may hold so that its answer stays within what Milvus sends.

    :param limit: matches per query.
    """
    return max(1, min(QUERIES, ANSWER_BYTES // (limit * MATCH_BYTES)))


def _column(page: Sequence[Mapping[str, Any]], field: pa.Field) -> pa.Array:
    """A field of some rows; empty where a collection of an older schema has none."""
    return pa.array([row.get(field.name, "") for row in page], field.type)


def _has_vector(data: Sequence[Mapping[str, Any]], space: str) -> bool:
    return any(fields[space] is not None for fields in data)


def _to_fields(row: IndexRow) -> dict[str, Any]:
    text = row.indexed_text
    vectors = {
        space: None if vector is None else vector.tolist() for space, vector in row.vectors.items()
    }
    names = (
        "row_id",
        "passage_id",
        "segment_id",
        "asset_id",
        "product_id",
        "build",
        "kind",
        "pixels",
        "content",
    )
    fields = {name: getattr(row, name) for name in names}
    return {**fields, "place": str(row.where), "text_en": text, "text_zh": text, **vectors}


def _to_stored(fields: Mapping[str, Any], spaces: Sequence[str]) -> StoredRow:
    # a digest of an earlier schema is of other fields, and says nothing here
    content = str(fields["content"]) if LATER.keys() <= fields.keys() else ""
    if fields["text_zh"] != fields["text_en"]:
        content = UNREADABLE
    kind: PassageKind = "caption"  # where the collection does not say: there was no other
    where: Where = Whole()
    try:
        kind = parse_kind(fields.get("kind", kind))
        where = parse_where(fields["place"])
    except ValueError:  # nothing of ours wrote that
        content = UNREADABLE
    # Lite gives a vector that is not there back as zeros, which no unit vector is
    vectors = {
        space: np.array(fields[space], np.float32) if any(fields[space] or ()) else None
        for space in spaces
    }
    row = IndexRow(
        row_id=RowId(fields["row_id"]),
        passage_id=PassageId(fields["passage_id"]),
        segment_id=SegmentId(fields["segment_id"]),
        asset_id=AssetId(fields["asset_id"]),
        product_id=ProductId(fields["product_id"]),
        build=Build(fields["build"]),
        kind=kind,
        where=where,
        pixels=PixelsId(fields["pixels"]),
        text=fields["text_en"],
        vectors=vectors,
    )
    return StoredRow(row=row, content=content, writer=fields["writer"])


def _to_matches(hits: Iterable[Any]) -> list[Match]:
    return [_to_match(hit) for hit in hits]


def _to_match(hit: Any) -> Match:
    seen = hit["entity"]
    return Match(
        passage_id=PassageId(seen["passage_id"]),
        segment_id=SegmentId(seen["segment_id"]),
        asset_id=AssetId(seen["asset_id"]),
        build=seen["build"],
        kind=parse_kind(seen.get("kind", "caption")),
        where=parse_where(seen["place"]),
        pixels=PixelsId(seen["pixels"]),
        text=seen["text_en"],
        score=float(hit["distance"]),
    )


def _quoted(ids: Sequence[str]) -> str:
    """Ids in a filter expression: digests of ours, so that no text of a shop's can become an
    expression."""
    if not all(map(QUOTABLE.fullmatch, ids)):
        raise ValueError("only names without quotes and spaces go into a filter")
    return ", ".join(f'"{name}"' for name in ids)
