"""Bring the sample into the buckets: what is new or differs, and never over what a person changed
there."""

import json
from hashlib import md5
from pathlib import Path

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.settings import Settings


def make_buckets(settings: Settings) -> tuple[S3Store, S3Store]:
    """The buckets of the catalog and of the query log, made with that of our work if need be."""
    names = (settings.catalog.bucket, settings.query_log.bucket, settings.work.bucket)
    stores = [S3Store(bucket=name, settings=settings.store) for name in names]
    for store in stores:
        store.create()
    return stores[0], stores[1]


def upload(store: S3Store, folder: Path, prefix: str, note: Path) -> int:
    """Upload the files of a folder under a prefix; how many had to be.

    `note` remembers what was uploaded: an object that differs from the file, although this very
    file was uploaded before, was changed by a person.
    """
    # these objects are small, so that an ETag is an MD5
    there = {found.key: found.etag for found in store.list(prefix)}
    before: dict[str, str] = json.loads(note.read_text()) if note.exists() else {}
    digests: dict[str, str] = {}
    uploaded = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        key, data = f"{prefix}{path.relative_to(folder).as_posix()}", path.read_bytes()
        digests[key] = md5(data, usedforsecurity=False).hexdigest()
        changed_by_a_person = key in there and before.get(key) == digests[key]
        if there.get(key) != digests[key] and not changed_by_a_person:
            store.put(key, data)
            uploaded += 1
    note.write_text(json.dumps(before | digests))
    return uploaded
