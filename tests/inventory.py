"""S3 Inventory reports as AWS writes them, for tests and the benchmark."""

import csv
import gzip
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import md5
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq

from mmsearch_core.ports.stores import ObjectStore

CSV_FIELDS = (
    "Bucket",
    "Key",
    "VersionId",
    "IsLatest",
    "IsDeleteMarker",
    "Size",
    "LastModifiedDate",
    "ETag",
)
PARQUET = pa.schema(
    [
        ("bucket", pa.string()),
        ("key", pa.string()),
        ("version_id", pa.string()),
        ("is_latest", pa.bool_()),
        ("is_delete_marker", pa.bool_()),
        ("size", pa.int64()),
        ("last_modified_date", pa.timestamp("ms", "UTC")),
        ("e_tag", pa.string()),
    ]
)
Entry = tuple[str, int, str, bool, bool]  # key, size, ETag, latest, delete marker


def csv_file(bucket: str, entries: Iterable[Entry]) -> bytes:
    """As documented: no header, every field quoted, keys URL-encoded."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    for key, size, etag, latest, deleted in entries:
        row = [bucket, quote_plus(key, safe="/"), "v", str(latest).lower(), str(deleted).lower()]
        writer.writerow(
            [*row, "" if deleted else size, "2026-11-22T01:00:00.000Z", "" if deleted else etag]
        )
    return gzip.compress(out.getvalue().encode(), compresslevel=1)


def parquet_file(bucket: str, entries: Iterable[Entry]) -> bytes:
    """Keys as they are."""
    day = datetime(2026, 11, 22, 1, tzinfo=UTC)
    rows = [
        (
            bucket,
            key,
            "v",
            latest,
            deleted,
            None if deleted else size,
            day,
            None if deleted else etag,
        )
        for key, size, etag, latest, deleted in entries
    ]
    columns = dict(zip(PARQUET.names, map(list, zip(*rows, strict=True)), strict=True))
    out = io.BytesIO()
    pq.write_table(pa.table(columns, schema=PARQUET), out)
    return out.getvalue()


def write(
    store: ObjectStore,
    folder: str,
    files: Iterable[bytes],
    *,
    bucket: str,
    created: datetime,
    file_format: str = "CSV",
) -> str:
    """Put a report into the store as S3 does, manifest and checksum last; returns the manifest's
    key."""
    named = []
    for number, data in enumerate(files):
        key = f"{folder.rpartition('/')[0]}/data/{folder.rpartition('/')[2]}-{number}"
        store.put(key, data)
        named.append({"key": key, "size": len(data), "MD5checksum": md5(data).hexdigest()})
    schema = ", ".join(CSV_FIELDS) if file_format == "CSV" else "message s3.inventory { … }"
    manifest: dict[str, Any] = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{store.bucket}",
        "version": "2016-11-30",
        "creationTimestamp": str(int(created.timestamp() * 1000)),
        "fileFormat": file_format,
        "fileSchema": schema,
        "files": named,
    }
    data = json.dumps(manifest).encode()
    store.put(f"{folder}/manifest.json", data)
    store.put(f"{folder}/manifest.checksum", md5(data).hexdigest().encode())
    return f"{folder}/manifest.json"
