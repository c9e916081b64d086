"""What Milvus says, by code and version: what passes is exit 75, what a person has to change 78,
and nothing else."""

import inspect
from typing import Any

import grpc
import pytest
from pymilvus import exceptions
from pymilvus.exceptions import (
    CollectionNotExistException,
    ConnectError,
    ConnectionConfigException,
    ConnectionNotExistException,
    DataNotMatchException,
    DescribeCollectionException,
    MilvusException,
    MilvusUnavailableException,
    ParamError,
    SchemaMismatchRetryableException,
)

from mmsearch_core.adapters.milvus_errors import milvus_error
from mmsearch_core.adapters.milvus_index import MilvusIndex
from mmsearch_core.errors import BadSettings, IndexAway, MMSearchError, SchemaMismatch, StageMissing

URI = "http://me:secret@milvus:19530"

BY_CODE: list[tuple[int, str, type[MMSearchError]]] = [
    (1, "service not ready[proxy=1]: Initializing", IndexAway),
    (2, "service unavailable", IndexAway),
    (3, "memory limit exceeded[predict=9][limit=8]", IndexAway),
    (4, "request limit exceeded[limit=3]", IndexAway),
    (5, "service internal error: failed to search", IndexAway),
    (6, "cross cluster routing[expected=a][actual=b]", IndexAway),
    (7, "disk limit exceeded[predict=9][limit=8]", IndexAway),
    (8, "rate limit exceeded[rate=0.5]", IndexAway),
    (9, "quota exceeded[reason=memory quota exhausted, please allocate more resources]", IndexAway),
    (10, "service unimplemented", BadSettings),
    (11, "time tick long delay", IndexAway),
    (12, "service resource insufficient[currentMemory=9]", IndexAway),
    (100, "collection not found[database=default][collection=mmsearch_1]", StageMissing),
    (101, "collection not loaded[collection=449]", IndexAway),
    (102, "exceeded the limit number of collections", BadSettings),
    (103, "collection not fully loaded[collection=449]", IndexAway),
    (105, "illegal collection schema", BadSettings),
    (106, "collection on recovering[collection=449]", IndexAway),
    (200, "partition not found[partition=3]", IndexAway),
    (201, "partition not loaded[partition=3]", IndexAway),
    (202, "partition not fully loaded[partition=3]", IndexAway),
    (250, "general capacity exceeded", BadSettings),
    (302, "resource group num reach limit", IndexAway),
    (304, "resource group node not enough", IndexAway),
    (400, "replica not found[replica=3]", IndexAway),
    (401, "replica not available[replica=3]", IndexAway),
    (
        500,
        "failed to search: collection=449: channel not found[channel=by-dev-rootcoord-dml_0_449v0]",
        IndexAway,
    ),
    (501, "channel lacks", IndexAway),
    (503, "channel not available[channel=by-dev-rootcoord-dml_0_449v0]", IndexAway),
    (600, "segment not found[segment=7]", IndexAway),
    (601, "segment not loaded[segment=7]", IndexAway),
    (602, "segment lacks", IndexAway),
    (700, "index not found[collection=449]", StageMissing),
    (701, "index type not supported", BadSettings),
    (800, "database not found[database=shop]", BadSettings),
    (901, "node not found[node=7]", IndexAway),
    (902, "node offline[node=7]", IndexAway),
    (905, "node not available[node=7]", IndexAway),
    (1000, "key not found", IndexAway),
    (1001, "IO failed", IndexAway),
    (1100, "invalid parameter[expected=4][actual=3]", BadSettings),
    (1101, "missing parameter", BadSettings),
    (1102, "parameter too large", BadSettings),
    (1302, "message queue internal error", IndexAway),
    (1303, "deny to write the message to mq", IndexAway),
    (1400, "not authenticated", BadSettings),
    (1401, "privilege not permitted", BadSettings),
    (1600, "alias not found[alias=mmsearch]", StageMissing),
    (1601, "alias and collection name conflict[alias=mmsearch]", BadSettings),
    (1602, "alias already exist[alias=mmsearch]", IndexAway),
    (1700, "field not found[field=pixels]", SchemaMismatch),
    (1807, "request is rejected by limiter", IndexAway),
    (2000, "segcore error: Assert failed", IndexAway),
    (2001, "segcore unsupported error", BadSettings),
    (2200, "inconsistent requery result", IndexAway),
    (3000, "unsupported operation", BadSettings),
    (4711, "an error of a later version", IndexAway),
    (10000, "context canceled", IndexAway),
    (10001, "context deadline exceeded", IndexAway),
    (65535, "unexpected error", IndexAway),
]


@pytest.mark.parametrize(("code", "text", "kind"), BY_CODE)
def test_a_code_decides(code: int, text: str, kind: type[MMSearchError]) -> None:
    """The sentence says which code it was, and what to do."""
    error = milvus_error(MilvusException(code=code, message=text), uri=URI)
    assert type(error) is kind
    assert f"({code}, " in str(error)
    assert str(error).endswith(".")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("auth check failure, please check username and password are correct", BadSettings),
        ("permission denied", BadSettings),
        ("can't find collection: mmsearch_1", StageMissing),
        ("collection not found[collection=mmsearch_1]", StageMissing),
        ("collection 'mmsearch_1' does not exist", StageMissing),
        ("failed to search: collection=449: channel not found", IndexAway),
        ("database 'shop' does not exist", BadSettings),
        ("[load_collection] Retry timeout: 15.0s", IndexAway),
        ("wait for loading collection timeout, collection: mmsearch_1", IndexAway),
        ("Unexpected error, message=<Cannot invoke RPC on closed channel!>", IndexAway),
        (
            (
                "Fail connecting to server on milvus:19530, illegal connection params or server"
                " unavailable"
            ),
            IndexAway,
        ),
        ("should create connection first", IndexAway),
        ("No space left on device", IndexAway),
        ("", IndexAway),
    ],
)
@pytest.mark.parametrize("code", [0, 1, 65535])
def test_words_decide_where_the_code_says_nothing(
    code: int, text: str, kind: type[MMSearchError]
) -> None:
    """Milvus Lite gives 1 to nearly everything."""
    assert type(milvus_error(MilvusException(code=code, message=text), uri=URI)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ParamError(message="limit must be greater than 0"), BadSettings),
        (DataNotMatchException(message="field clip does not match"), BadSettings),
        (SchemaMismatchRetryableException("schema mismatch"), SchemaMismatch),
        (CollectionNotExistException(message="collection gone"), StageMissing),
        (DescribeCollectionException(100, "collection not found"), StageMissing),
        (ConnectionConfigException(message=f"uri: {URI} is illegal"), BadSettings),
        (ConnectError(message="x"), IndexAway),
        (ConnectionNotExistException(message="x"), IndexAway),
        (MilvusUnavailableException(message="x"), IndexAway),
        (
            MilvusException(6, "string value exceeds max_length"),
            BadSettings,
        ),  # Lite's illegal argument
        (MilvusException(6, "database 'shop' does not exist"), BadSettings),
        (MilvusException(1, "wrong", is_input_error=True), BadSettings),
        (MilvusException(grpc.StatusCode.UNAVAILABLE, "Retry timeout: 15s"), IndexAway),
        (MilvusException(grpc.StatusCode.DEADLINE_EXCEEDED, "x"), IndexAway),
        (MilvusException(grpc.StatusCode.UNAUTHENTICATED, "x"), BadSettings),
    ],
)
def test_errors_of_the_client_are_named(error: MilvusException, kind: type[MMSearchError]) -> None:
    assert type(milvus_error(error, uri=URI)) is kind


class RpcError(grpc.RpcError):  # type: ignore[misc]
    """As gRPC raises it."""

    def __init__(self, status: grpc.StatusCode, details: str = "") -> None:
        self._status, self._details = status, details

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return self._details


@pytest.mark.parametrize("status", list(grpc.StatusCode))
def test_every_status_of_grpc_is_named(status: grpc.StatusCode) -> None:
    refused = {"UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "INVALID_ARGUMENT"}
    kind = BadSettings if status.name in refused else IndexAway
    assert type(milvus_error(RpcError(status, "words"), uri=URI)) is kind


def test_an_answer_that_is_too_large_is_no_outage() -> None:
    error = RpcError(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "trying to send message larger than max (9 vs. 8)"
    )
    assert type(milvus_error(error, uri=URI)) is BadSettings
    assert type(milvus_error(grpc.RpcError(), uri=URI)) is IndexAway


def test_every_error_of_pymilvus_is_ours() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, MilvusException)
    ]
    index = MilvusIndex(URI)
    for kind in kinds:
        make: Any = kind
        error: Exception = make(message="x")
        with pytest.raises(MMSearchError), index._named_errors():
            raise error


def test_neither_credentials_nor_escape_sequences_are_shown() -> None:
    said = f"uri: {URI} failed \x1b[2J" + 500 * "x"
    for code in (1, 9, 100, 1100, 65535):
        shown = str(milvus_error(MilvusException(code=code, message=said), uri=URI))
        assert "secret" not in shown
        assert "\x1b" not in shown
        assert len(shown) < 500


@pytest.mark.parametrize(
    "uri", ["http://me:sec#ret@milvus:x", "ftp://me:secret@milvus", "milvus.invalid"]
)
def test_what_is_no_address_is_said_without_its_password(uri: str) -> None:
    """Exit 78."""
    with pytest.raises(BadSettings, match=r"index\.uri") as refused:
        MilvusIndex(uri).uuid("c")
    assert "ret@" not in str(refused.value)
