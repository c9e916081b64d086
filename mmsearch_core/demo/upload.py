"""Bring the sample into the buckets: what is new or differs, and never over what a person changed
there."""

import json
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from mmsearch_core.settings import Settings


def client(settings: Settings) -> Any:
    """S3, as the settings say."""
    store = settings.store
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key.get_secret_value() if store.secret_key else None,
        config=Config(retries={"max_attempts": 5}),
    )


def create_buckets(s3: Any, *names: str) -> None:
    """Create the buckets that are not there."""
    for name in dict.fromkeys(names):
        try:
            s3.head_bucket(Bucket=name)
        except ClientError:
            s3.create_bucket(Bucket=name)


def upload(s3: Any, folder: Path, bucket: str, prefix: str, note: Path) -> int:
    """Upload the files of a folder; how many had to be.

    `note` remembers what was uploaded: an object that differs from the file, although this very
    file was uploaded before, was changed by a person.
    """
    there = dict(_objects(s3, bucket, prefix))
    before: dict[str, str] = json.loads(note.read_text()) if note.exists() else {}
    files = {
        f"{prefix}{path.relative_to(folder).as_posix()}": path
        for path in folder.rglob("*")
        if path.is_file()
    }
    digests = {
        key: md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for key, path in files.items()
    }
    wanted = [
        key
        for key, digest in digests.items()
        if there.get(key) != digest and (key not in there or before.get(key) != digest)
    ]
    for key in sorted(wanted):
        s3.put_object(Bucket=bucket, Key=key, Body=files[key].read_bytes())
    note.write_text(json.dumps(before | digests))
    return len(wanted)


def _objects(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Keys and the MD5 of what is there; these objects are small, so that an ETag is one."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", ()):
            yield found["Key"], found["ETag"].strip('"')
