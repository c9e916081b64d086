"""What every object store promises, held against MemoryStore, and through S3Store against SeaweedFS
and moto."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from pydantic import SecretStr

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.errors import BadSettings, MMSearchError, PreconditionFailed, StoreAway
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.settings import Store
from mmsearch_core.testing.memory_store import MemoryStore
from tests.conftest import Servers

# the keys of which directory order, byte order and collation disagree
KEYS = ("p/a/1.jpg", "p/a/b/1", "p/a!x", "p/a-1.jpg", "p/a.jpg")
ODD_KEYS = (
    "odd/with space.jpg",
    "odd/红色 连衣裙.jpg",
    "odd/per%2Fcent.jpg",
    "odd/a+b.jpg",
    "odd/q?x=1&y#z.jpg",
)


REAL = [pytest.param(name, marks=pytest.mark.integration) for name in ("seaweedfs", "moto")]


@pytest.fixture(params=["memory", *REAL])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """An empty bucket of each kind."""
    if request.param == "memory":
        return MemoryStore("contract")
    return made(f"contract-{time.time_ns()}", settings_of(request.param, request))


@pytest.fixture(params=["seaweedfs", "moto"])
def endpoint(request: pytest.FixtureRequest) -> Store:
    """The settings of each real endpoint."""
    return settings_of(request.param, request)


def made(name: str, settings: Store, *, probed: bool = False) -> S3Store:
    bucket = S3Store(bucket=name, settings=settings, probed=probed)
    bucket.create()
    bucket.create()  # no error where it is there
    return bucket


def settings_of(name: str, request: pytest.FixtureRequest) -> Store:
    if name == "moto":
        address = request.getfixturevalue("sqs").address
        return Store(endpoint=address, access_key="anybody", secret_key=SecretStr("anybody"))
    settings: Store = request.getfixturevalue("servers").settings.store
    return settings


def test_objects_are_read_as_written(store: ObjectStore) -> None:
    """Bytes, size and ETag agree between put, head, get and list."""
    etag = store.put("a/b", b"hello")
    head = store.head("a/b")
    assert head is not None
    assert (head.etag, head.size, head.bucket, head.key) == (etag, 5, store.bucket, "a/b")
    assert store.get("a/b") == b"hello"
    assert [(ref.key, ref.etag, ref.size) for ref in store.list("a/")] == [("a/b", etag, 5)]
    assert head.last_modified.tzinfo is not None


def test_what_is_not_there_is_none_and_may_be_deleted(store: ObjectStore) -> None:
    """Absence is an answer, not an error."""
    assert store.head("nothing") is None
    assert store.get("nothing") is None
    store.delete("nothing")
    assert list(store.list("nothing")) == []


def test_many_are_deleted_at_once_and_absent_ones_are_no_error(store: ObjectStore) -> None:
    """More than a page of them, whatever characters their keys have."""
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: store.put(f"many/{number}", b""), range(1001)))
    for key in ODD_KEYS:
        store.put(key, b"")
    store.put("stays", b"")
    store.delete_many([*(ref.key for ref in store.list("many/")), *ODD_KEYS, "never/was"])
    store.delete_many([])
    assert [ref.key for ref in store.list()] == ["stays"]


def test_folders_are_named_once_each(store: ObjectStore) -> None:
    """Whatever lies how deep in them; an object directly under the prefix is no folder."""
    for key in ("memo/a/1", "memo/a/2/3", "memo/b/1", "memo/object", "memory/c/1"):
        store.put(key, b"")
    assert sorted(store.folders("memo/")) == ["a", "b"]
    assert list(store.folders("nothing/")) == []


@pytest.mark.parametrize("keys", [KEYS, ODD_KEYS])
def test_any_key_is_listed_as_it_was_written(store: ObjectStore, keys: tuple[str, ...]) -> None:
    """In no promised order, under its prefix only."""
    for key in (*keys, "elsewhere/1"):
        store.put(key, key.encode())
    listed = [ref.key for ref in store.list(keys[0].split("/")[0] + "/")]
    assert sorted(listed) == sorted(keys)
    assert all(store.get(key) == key.encode() for key in keys)


def test_a_conditional_write_that_loses_changes_nothing(store: ObjectStore) -> None:
    """If-None-Match and If-Match."""
    first = store.put("k", b"1", if_none_match=True)
    with pytest.raises(PreconditionFailed):
        store.put("k", b"2", if_none_match=True)
    second = store.put("k", b"2", if_match=first)
    with pytest.raises(PreconditionFailed):
        store.put("k", b"3", if_match=first)
    assert store.get("k", if_match=second) == b"2"
    with pytest.raises(PreconditionFailed):
        store.get("k", if_match=first)


def test_a_condition_on_an_object_that_is_gone_does_not_hold(store: ObjectStore) -> None:
    """Whoever deleted it won; there is nothing to write over, and nothing is written."""
    etag = store.put("k", b"1")
    store.delete("k")
    with pytest.raises(PreconditionFailed):
        store.put("k", b"2", if_match=etag)
    assert store.get("k", if_match=etag) is None
    assert store.head("k") is None
    store.put("k", b"3", if_none_match=True)


def test_of_many_writers_exactly_one_wins(store: ObjectStore) -> None:
    """Sixteen threads want to be first."""

    def write(number: int) -> bool:
        try:
            store.put("race", b"%d" % number, if_none_match=True)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(write, range(16))) == 1


@pytest.mark.parametrize("size", [0, 5, 16 * 2**20 + 1])
def test_an_object_is_downloaded_as_it_is(store: ObjectStore, tmp_path: Path, size: int) -> None:
    """Also one that takes several requests, and one of no bytes."""
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    store.put("a/b c", data)
    found = store.head("a/b c")
    assert found
    store.download(found, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data


@pytest.mark.parametrize("size", [0, 3, 20_000_000])
def test_a_file_is_uploaded_as_it_is(store: ObjectStore, tmp_path: Path, size: int) -> None:
    """A large one goes in parts."""
    data = bytes(range(256)) * (size // 256) + b"abc"[: size % 256]
    (tmp_path / "file").write_bytes(data)
    store.upload("p/file", tmp_path / "file")
    assert store.get("p/file") == data


def test_of_what_was_removed_or_replaced_nothing_is_downloaded(
    store: ObjectStore, tmp_path: Path
) -> None:
    store.put("k", b"1")
    found = store.head("k")
    assert found
    store.put("k", b"2")
    with pytest.raises(PreconditionFailed):
        store.download(found, tmp_path / "file")
    store.delete("k")
    with pytest.raises(PreconditionFailed):
        store.download(found, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_listing_may_be_longer_than_a_page(store: ObjectStore) -> None:
    """S3 gives a thousand keys at a time."""
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: store.put(f"many/{number}", b""), range(1100)))
    assert len({ref.key for ref in store.list("many/")}) == 1100


@pytest.mark.integration
class TestErrors:
    """What only a real endpoint can do wrong."""

    def test_an_endpoint_that_is_away_is_said_so_soon(self) -> None:
        """Exit 75."""
        settings = Store(endpoint="http://127.0.0.1:9", access_key="k", secret_key=SecretStr("s"))
        with pytest.raises(StoreAway, match="does not answer"):
            S3Store(bucket="b", settings=settings).head("k")

    def test_wrong_keys_name_the_setting(self, servers) -> None:  # type: ignore[no-untyped-def]
        """Exit 78."""
        settings = servers.settings.store.model_copy(update={"secret_key": SecretStr("wrong")})
        with pytest.raises(BadSettings, match="access_key"):
            S3Store(bucket="catalog", settings=settings).put("k", b"")

    def test_a_missing_bucket_says_what_to_do(self, servers) -> None:  # type: ignore[no-untyped-def]
        """Exit 78."""
        with pytest.raises(BadSettings, match="create it"):
            list(S3Store(bucket="no-such-bucket", settings=servers.settings.store).list())

    def test_the_endpoint_is_asked_before_the_first_conditional_write(
        self, endpoint: Store
    ) -> None:
        """One that ignores conditions would break every promise. The answer is remembered in the
        bucket; one that is not asked, since only read, is left as it was."""
        name = f"work-{time.time_ns()}"
        bucket = made(name, endpoint, probed=True)
        bucket.put("plain", b"")
        assert [ref.key for ref in bucket.list()] == ["plain"]
        with ThreadPoolExecutor(8) as threads:
            list(
                threads.map(
                    lambda number: bucket.put(f"k{number}", b"", if_none_match=True), range(8)
                )
            )
        (remembered,) = bucket.list("probe/")
        S3Store(bucket=name, settings=endpoint, probed=True).put("later", b"", if_none_match=True)
        assert list(bucket.list("probe/")) == [remembered]
        other = made(f"catalog-{time.time_ns()}", endpoint)
        other.put("k", b"", if_none_match=True)
        assert [ref.key for ref in other.list()] == ["k"]

    @pytest.mark.parametrize("written", ['"abc"', "abc", 'W/"abc"'])
    def test_an_etag_is_given_back_as_it_was_meant(self, written: str) -> None:
        """Weak behind a proxy that compresses, or without quotes; in a condition it has them."""
        store = S3Store(bucket="b", settings=Store())
        asked: list[str] = []

        class Client:
            def put_object(self, *, IfMatch: str = "", **_: object) -> dict[str, str]:  # noqa: N803 botocore's name
                asked.append(IfMatch)
                return {"ETag": written}

        store._client = Client()
        etag = store.put("k", b"")
        assert etag == "abc"
        store.put("k", b"", if_match=etag)
        assert asked == ["", '"abc"']

    def test_what_is_no_s3_endpoint_is_said_so(self) -> None:
        """A web server that answers everything with a page."""
        with web_server(b"<html><body>Maintenance</body></html>") as address:
            settings = Store(endpoint=address, access_key="k", secret_key=SecretStr("s"))
            with pytest.raises(MMSearchError, match=r"store\.endpoint"):
                list(S3Store(bucket="b", settings=settings).list())
            with pytest.raises(MMSearchError, match=r"store\.endpoint"):
                S3Store(bucket="b", settings=settings).put("k", b"")

    def test_credentials_in_an_address_are_not_shown(self) -> None:
        """Nor in the chain of errors that is printed."""
        settings = Store(
            endpoint="http://me:secret@127.0.0.1:9", access_key="k", secret_key=SecretStr("s")
        )
        with pytest.raises(StoreAway) as away:
            S3Store(bucket="b", settings=settings).head("k")
        assert "secret" not in str(away.value)


@contextmanager
def web_server(page: bytes) -> Iterator[str]:
    """The address of one that answers every request with the page."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        do_GET = do_PUT = answer  # noqa: N815 the standard library's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.integration
class TestReplaced:
    """Between two requests of one download."""

    def test_an_object_that_is_replaced_while_it_is_downloaded_is_no_mixture(
        self, servers: Servers, tmp_path: Path
    ) -> None:
        """Half of one and half of another would pass for a feed."""

        class Replaced(S3Store):
            def _range(self, of: ObjectRef, start: int) -> Any:  # type: ignore[override]
                if start:
                    self.put(of.key, b"y" * of.size)
                return super()._range(of, start)

        bucket = Replaced(bucket="replaced", settings=servers.settings.store)
        bucket.create()
        bucket.put("k", b"x" * (16 * 2**20 + 1))
        found = bucket.head("k")
        assert found
        with pytest.raises(PreconditionFailed):
            bucket.download(found, tmp_path / "file")
        assert not (tmp_path / "file").exists()


def test_every_error_of_botocore_is_ours() -> None:
    """None of the library's errors reaches a caller unnamed."""
    import inspect

    from botocore import exceptions

    store = S3Store(bucket="b", settings=Store())
    kinds = [
        kind
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, Exception)
    ]
    for kind in kinds:
        if issubclass(kind, exceptions.BotoCoreError):
            error = kind.__new__(kind)
            Exception.__init__(error, "x")
            with pytest.raises(MMSearchError):
                store._ask(Mock(side_effect=error))
    for code, status in (
        ("SlowDown", 503),
        ("InternalError", 500),
        ("AccessDenied", 403),
        ("InvalidRequest", 400),
    ):
        response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        refused = exceptions.ClientError(response, "PutObject")
        assert isinstance(store._named(refused), MMSearchError)
