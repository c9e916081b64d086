"""An object and its ETag are read as they belong together."""

from typing import Any

import pytest

from mmsearch_core.errors import PreconditionFailed, TryLater
from mmsearch_core.serving.versioned import read_versioned, replace_versioned
from mmsearch_core.testing.memory_store import MemoryStore


class Restless(MemoryStore):
    """The object changes between two looks, so many times."""

    def __init__(self, changes: int) -> None:
        super().__init__()
        self.changes = changes

    def get(self, key: str, **conditions: Any) -> bytes | None:
        if self.changes:
            self.changes -= 1
            self.put(key, f"state {self.changes}".encode())
        return super().get(key, **conditions)


def test_what_changes_while_it_is_read_is_read_again_and_not_for_ever() -> None:
    store = Restless(changes=2)
    store.put("key", b"first")
    version = read_versioned(store, "key")
    assert version
    assert version.data == b"state 0"
    replace_versioned(store, "key", b"new", version)
    with pytest.raises(PreconditionFailed):
        replace_versioned(store, "key", b"newer", version)
    store.changes = 1_000
    with pytest.raises(TryLater, match="try again"):
        read_versioned(store, "key")


def test_what_is_not_there_is_written_only_where_nothing_came_meanwhile() -> None:
    store = MemoryStore()
    before = read_versioned(store, "key")
    assert before is None
    replace_versioned(store, "key", b"1", before)
    with pytest.raises(PreconditionFailed):
        replace_versioned(store, "key", b"2", before)


def test_what_was_deleted_meanwhile_is_not_replaced() -> None:
    store = MemoryStore()
    store.put("key", b"1")
    before = read_versioned(store, "key")
    store.delete("key")
    with pytest.raises(PreconditionFailed):
        replace_versioned(store, "key", b"2", before)
