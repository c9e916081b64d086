"""An object together with its ETag: what a conditional write needs to replace exactly what was
read."""

from dataclasses import dataclass

from mmsearch_core.errors import PreconditionFailed, TryLater
from mmsearch_core.ports.stores import ObjectStore

TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioned:
    """The bytes of an object and the ETag that they had."""

    data: bytes
    etag: str


def read_versioned(store: ObjectStore, key: str) -> Versioned | None:
    """Read an object and its ETag as they belong together.

    Returns None where there is no object. Raises TryLater if the object changed during each of a
    few attempts.
    """
    for _ in range(TRIES):
        head = store.head(key)
        if head is None:
            return None
        try:
            data = store.get(key, if_match=head.etag)
        except PreconditionFailed:
            continue
        if data is not None:
            return Versioned(data=data, etag=head.etag)
    raise TryLater(f"{key} changed {TRIES} times while it was read: try again.")


def replace_versioned(store: ObjectStore, key: str, data: bytes, before: Versioned | None) -> None:
    """Write ``data`` over what was read before, or where nothing was; PreconditionFailed if that
    has changed."""
    if before is None:
        store.put(key, data, if_none_match=True)
    else:
        store.put(key, data, if_match=before.etag)
