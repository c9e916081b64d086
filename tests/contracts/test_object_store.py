"""What every object store promises, held against MemoryStore and SeaweedFS through S3Store."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.errors import BadSettings, PreconditionFailed, StoreAway
from mmsearch_core.ports import ObjectStore
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.settings import Store
from mmsearch_core.testing.memory_store import MemoryStore

# the keys of which directory order, byte order and collation disagree
KEYS = ("p/a/1.jpg", "p/a/b/1", "p/a!x", "p/a-1.jpg", "p/a.jpg")
ODD_KEYS = ("odd/with space.jpg", "odd/红色 连衣裙.jpg", "odd/per%2Fcent.jpg", "odd/a+b.jpg", "odd/q?x=1&y#z.jpg")


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """An empty bucket of each kind."""
    if request.param == "memory":
        return MemoryStore("contract")
    settings = request.getfixturevalue("servers").settings
    bucket = S3Store(bucket=f"contract-{time.time_ns()}", settings=settings.store)
    bucket.create()
    return bucket


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
    found = store.download("a/b c", tmp_path / "file")
    assert found == store.head("a/b c")
    assert (tmp_path / "file").read_bytes() == data


def test_of_what_is_not_there_or_not_as_expected_nothing_is_downloaded(store: ObjectStore, tmp_path: Path) -> None:
    etag = store.put("k", b"1")
    assert store.download("nothing", tmp_path / "file") is None
    assert not (tmp_path / "file").exists()
    store.put("k", b"2")
    with pytest.raises(PreconditionFailed):
        store.download("k", tmp_path / "file", if_match=etag)


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

    def test_an_object_that_is_replaced_while_it_is_downloaded_is_no_mixture(self, servers, tmp_path) -> None:  # type: ignore[no-untyped-def]
        """Half of one and half of another would pass for a feed."""

        class Replaced(S3Store):
            def _range(self, of: ObjectRef, start: int) -> bytes:
                if start:
                    self.put(of.key, b"y" * of.size)
                return super()._range(of, start)

        bucket = Replaced(bucket="replaced", settings=servers.settings.store)
        bucket.create()
        bucket.put("k", b"x" * (16 * 2**20 + 1))
        with pytest.raises(PreconditionFailed):
            bucket.download("k", tmp_path / "file")

    def test_the_endpoint_is_probed_for_conditional_writes(self, servers) -> None:  # type: ignore[no-untyped-def]
        """An endpoint that ignores them would break every promise."""
        bucket = S3Store(bucket="probe", settings=servers.settings.store)
        bucket.create()
        bucket.create()
        bucket.probe()


def test_every_error_of_botocore_is_ours() -> None:
    """None of the library's errors reaches a caller unnamed."""
    import inspect

    from botocore import exceptions

    from mmsearch_core.errors import MMSearchError

    store = S3Store(bucket="b", settings=Store())
    kinds = [kind for _, kind in inspect.getmembers(exceptions, inspect.isclass) if issubclass(kind, Exception)]
    for kind in kinds:
        if issubclass(kind, exceptions.BotoCoreError):
            error = kind.__new__(kind)
            Exception.__init__(error, "x")
            assert isinstance(store._unanswered(error), MMSearchError), kind
    for code, status in (("SlowDown", 503), ("InternalError", 500), ("AccessDenied", 403), ("InvalidRequest", 400)):
        response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        assert isinstance(store._named(exceptions.ClientError(response, "PutObject")), MMSearchError)  # type: ignore[arg-type]
