"""An object is found under the name under which its bucket lists it, and under no other: in a store
that keeps every name, in moto, which reads names as S3 does, and in SeaweedFS, which reads them as
paths."""

import time

import pytest
from pydantic import SecretStr

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.catalog.look import look, plain_name
from mmsearch_core.errors import BadSettings
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.settings import Store
from mmsearch_core.testing.memory_store import MemoryStore

NAMES = ("p/x//a.jpg", "p//x/a.jpg", "p/x\\a.jpg", "/p/x/a.jpg", "p/./x/a.jpg", "p/y/../x/a.jpg")
REAL = [pytest.param(name, marks=pytest.mark.integration) for name in ("moto", "seaweedfs")]


@pytest.fixture(params=["memory", *REAL])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """An empty bucket of each kind."""
    if request.param == "memory":
        return MemoryStore("look")
    if request.param == "moto":
        address = request.getfixturevalue("sqs").address
        settings = Store(endpoint=address, access_key="anybody", secret_key=SecretStr("anybody"))
    else:
        settings = request.getfixturevalue("servers").settings.store
    bucket = S3Store(bucket=f"look-{time.time_ns()}", settings=settings)
    bucket.create()
    return bucket


def test_an_object_has_the_name_that_is_listed_and_no_other(store: ObjectStore) -> None:
    store.put("p/x/a.jpg", b"a picture")
    assert look(store, "p/x/a.jpg") == store.head("p/x/a.jpg")
    assert [name for name in NAMES if look(store, name)] == []
    assert look(store, "p/x/b.jpg") is None
    assert look(store, "p/x/" + "a" * 2000) is None  # longer than any key


@pytest.mark.parametrize("name", NAMES[:4])
def test_an_odd_name_that_was_written_is_found_where_it_is_listed(
    store: ObjectStore, name: str
) -> None:
    """Alone, and beside an object of the plain name with other bytes."""
    store.put(name, b"a picture")
    listed = [found.key for found in store.list()]
    assert [bool(look(store, key)) for key in (*listed, name)] == [True, name in listed]
    store.put("p/x/a.jpg", b"another picture")
    assert all(look(store, found.key) for found in store.list())
    store.delete(name)
    assert look(store, name) is None


def test_what_the_store_refuses_otherwise_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret is no absent object."""
    store = MemoryStore("look")

    def refused(key: str) -> None:
        raise BadSettings("The store refuses access.")

    monkeypatch.setattr(store, "head", refused)
    for name in ("p/x/a.jpg", "p//a.jpg"):
        with pytest.raises(BadSettings):
            look(store, name)


def test_most_names_are_plain() -> None:
    names = ("pictures/p1/红 裙+1.jpg", "a", "a/b.c/..d", "pictures/folder/")
    assert [plain_name(name) for name in names] == list(names)
