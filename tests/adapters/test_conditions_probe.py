"""A store that ignores a condition is found out before anything stands on it, and asked once."""

import pytest

from mmsearch_core.adapters.conditions_probe import check, check_once
from mmsearch_core.errors import BadSettings, StoreAway
from mmsearch_core.testing.memory_store import MemoryStore


class Deaf(MemoryStore):
    """Ignores the named conditions."""

    def __init__(self, *ignored: str) -> None:
        super().__init__()
        self.ignored = ignored

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        return super().get(key, if_match=None if "get" in self.ignored else if_match)

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        return super().put(
            key,
            data,
            if_none_match=if_none_match and "none" not in self.ignored,
            if_match=None if "match" in self.ignored else if_match,
        )


class MakesAnew(MemoryStore):
    """Takes If-Match over nothing for a plain write."""

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        there = self.head(key) is not None
        return super().put(
            key, data, if_none_match=if_none_match, if_match=if_match if there else None
        )


class Refuses(MemoryStore):
    """Knows no conditional writes, and says so."""

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        if if_none_match or if_match is not None:
            raise BadSettings(
                "The store lacks a feature that mmsearch needs for b (NotImplemented): use another."
            )
        return super().put(key, data)


class Refusing(MemoryStore):
    """Takes every ETag for a wrong one."""

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        return super().put(
            key, data, if_none_match=if_none_match, if_match="other" if if_match else None
        )


def test_a_store_that_keeps_its_promises_passes_and_is_left_as_it_was() -> None:
    store = MemoryStore()
    check(store)
    assert list(store.list()) == []


@pytest.mark.parametrize(
    ("store", "named"),
    [
        (Deaf("none"), "PUT with If-None-Match over an object"),
        (Deaf("match"), "PUT with another If-Match"),
        (Deaf("get"), "GET with another If-Match"),
        (Deaf("none", "match", "get"), "PUT with If-None-Match over an object"),
        (MakesAnew(), "PUT with If-Match where nothing is"),
        (Refuses(), "PUT with If-None-Match where nothing is"),
        (Refusing(), "PUT with the object's If-Match"),
    ],
)
def test_what_a_store_does_not_keep_is_named_in_one_sentence(
    store: MemoryStore, named: str
) -> None:
    with pytest.raises(BadSettings, match=named) as refused:
        check(store)
    assert str(refused.value).count(". ") == 0
    assert list(store.list()) == []


def test_a_store_is_asked_once() -> None:
    """The answer lies in its bucket."""
    store = MemoryStore("work")
    check_once(store, "http://store")
    writes = store.writes
    check_once(store, "http://store")
    assert store.writes == writes
    check_once(store, "http://another-endpoint")
    assert store.writes > writes
    assert [ref.key.split("/")[0] for ref in store.list()] == ["probe", "probe"]


def test_a_store_that_failed_is_asked_again() -> None:
    store = Deaf("match")
    for _ in range(2):
        with pytest.raises(BadSettings):
            check_once(store, "http://store")
    store.ignored = ()
    check_once(store, "http://store")


def test_a_store_that_is_away_is_not_blamed() -> None:
    class Away(MemoryStore):
        def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
            raise StoreAway("The store does not answer: try again later.")

    with pytest.raises(StoreAway):
        check_once(Away(), "http://store")
