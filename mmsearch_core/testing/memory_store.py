"""A bucket in memory."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from mmsearch_core.errors import PreconditionFailed
from mmsearch_core.records.asset import ObjectRef


class MemoryStore:
    """Lists in an order that nobody should rely on; ``writes`` counts puts and deletes."""

    def __init__(self, bucket: str = "bucket") -> None:
        self.bucket = bucket
        self.writes = 0
        self._objects: dict[str, tuple[bytes, ObjectRef]] = {}
        self._lock = threading.Lock()

    def list(self, prefix: str = "") -> Iterator[ObjectRef]:
        with self._lock:
            found = [ref for key, (_, ref) in self._objects.items() if key.startswith(prefix)]
        yield from sorted(found, key=lambda ref: ref.key[::-1])

    def head(self, key: str) -> ObjectRef | None:
        with self._lock:
            return self._objects[key][1] if key in self._objects else None

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        with self._lock:
            if key not in self._objects:
                return None
            data, ref = self._objects[key]
        if if_match is not None and ref.etag != if_match:
            raise PreconditionFailed(f"{key} is not the object that the caller expected.")
        return data

    def download(self, found: ObjectRef, path: Path) -> None:
        data = self.get(found.key, if_match=found.etag)
        if data is None:
            raise PreconditionFailed(f"{found.key} was removed.")
        path.write_bytes(data)

    def upload(self, key: str, path: Path) -> None:
        self.put(key, path.read_bytes())

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        with self._lock:
            there = self._objects.get(key)
            if (if_none_match and there) or (
                if_match is not None and (there is None or there[1].etag != if_match)
            ):
                raise PreconditionFailed(f"{key} is not as the caller expected.")
            etag = sha256(data).hexdigest()[:32]
            now = datetime.now(UTC)
            ref = ObjectRef(
                bucket=self.bucket, key=key, etag=etag, size=len(data), last_modified=now
            )
            self._objects[key] = (data, ref)
            self.writes += 1
        return etag

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(key, None)
            self.writes += 1

    def delete_many(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.delete(key)

    def folders(self, prefix: str) -> Iterator[str]:
        inner = (found.key.removeprefix(prefix).partition("/") for found in self.list(prefix))
        yield from {name for name, slash, _ in inner if slash}
