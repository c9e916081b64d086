"""Whether an endpoint keeps its promises of conditional requests, tried once and remembered in the
bucket.

Leases, the memo, the published pointer and much else stand on ``If-None-Match`` and ``If-Match``.
An endpoint that ignores them answers 200 to everybody, and nothing would ever tell.
"""

import json
import uuid
from collections.abc import Callable

from mmsearch_core.errors import BadSettings, PreconditionFailed
from mmsearch_core.layout import PROBE
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import digest

VERSION = "1"  # of what is tried: another version is tried again
WRONG_ETAG = "0" * 32


def check_once(store: ObjectStore, endpoint: str) -> None:
    """Check the store, unless that was done before, which costs one GET to know.

    :param store: its bucket must be one that may be written to.
    :param endpoint: address of the store; another one is checked again.
    :raises BadSettings: names the conditions that the store ignores.
    """
    key = f"{PROBE}{digest('probe', VERSION, endpoint, store.bucket)}.json"
    if store.get(key) is not None:
        return
    check(store)
    store.put(
        key, json.dumps({"bucket": store.bucket, "conditions": "kept", "version": VERSION}).encode()
    )


def check(store: ObjectStore) -> None:
    """Try every condition on an object of its own, and remove the object."""
    key = f"{PROBE}{uuid.uuid4().hex}"
    etag = store.put(key, b"1")
    try:
        ignored = _ignored(store, key, etag)
    finally:
        for name in (key, f"{key}-new", f"{key}-none"):
            store.delete(name)
    if ignored:
        raise BadSettings(
            f"The store of {store.bucket} does not keep conditional requests"
            f" ({', '.join(ignored)}): let store.endpoint name one that does."
        )


def _ignored(store: ObjectStore, key: str, etag: str) -> list[str]:
    """The conditions that were not kept, in the words of HTTP."""
    expectations = {
        "PUT with If-None-Match over an object": _refused(
            lambda: store.put(key, b"2", if_none_match=True)
        ),
        "PUT with If-None-Match where nothing is": _accepted(
            lambda: store.put(f"{key}-new", b"", if_none_match=True)
        ),
        "PUT with another If-Match": _refused(lambda: store.put(key, b"3", if_match=WRONG_ETAG)),
        "PUT with If-Match where nothing is": _refused(
            lambda: store.put(f"{key}-none", b"", if_match=etag)
        ),
        "GET with another If-Match": _refused(lambda: store.get(key, if_match=WRONG_ETAG)),
        "GET with the object's If-Match": _accepted(lambda: store.get(key, if_match=etag)),
        "PUT with the object's If-Match": _accepted(lambda: store.put(key, b"4", if_match=etag)),
        "PUT with an older If-Match": _refused(lambda: store.put(key, b"5", if_match=etag)),
    }
    return [name for name, kept in expectations.items() if not kept]


def _refused(request: Callable[[], object]) -> bool:
    """Whether the condition was kept: a store that does not know it (501) keeps it no more than one
    that ignores it."""
    try:
        request()
    except PreconditionFailed:
        return True
    except BadSettings:
        return False
    return False


def _accepted(request: Callable[[], object]) -> bool:
    try:
        request()
    except (PreconditionFailed, BadSettings):
        return False
    return True
