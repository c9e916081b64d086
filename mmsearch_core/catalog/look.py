r"""An object as its own name shows it.

Some stores read `a//b`, `a\b` or `/a/b` as other names of `a/b`: they answer a HEAD of each, and
even list it under the prefix `a//b`, though a listing of the whole bucket has `a/b` alone. For S3
itself all of them are objects of their own.
"""

import re

from mmsearch_core.errors import BadSettings, StoreAway
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import ObjectRef

LONGEST = 1024  # bytes of a key, for S3
DOTS = {".", ".."}


def plain_name(key: str) -> str:
    """The name under which a store that reads keys as paths keeps the object; for most keys it is
    the key."""
    parts = [part for part in re.split(r"[/\\]+", key) if part not in DOTS]
    return "/".join(parts).lstrip("/")


def look(store: ObjectStore, key: str) -> ObjectRef | None:
    """The object at ``key``; None where there is none, or where the key is only another name of its
    plain name."""
    if len(key.encode(errors="replace")) > LONGEST:
        return None
    plain = plain_name(key)
    if plain == key:
        return store.head(key)
    try:
        found = store.head(key)
    except (BadSettings, StoreAway):
        if DOTS.isdisjoint(re.split(r"[/\\]", key)):
            raise
        store.head(plain)  # raises if the store is away, or refuses more than this key
        return None  # stores that read keys as paths refuse dots, and hold no such key
    there = store.head(plain) if found else None
    return None if found and there and _same(found, there) else found


def _same(one: ObjectRef, other: ObjectRef) -> bool:
    """As far as a store can tell: two objects with equal bytes, written in the same second, look so
    too."""
    seen = (one.etag, one.size, one.last_modified, one.version_id)
    return seen == (other.etag, other.size, other.last_modified, other.version_id)
