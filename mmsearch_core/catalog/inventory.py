"""The bucket as an S3 Inventory report shows it, for buckets that take too long to list.

A report is a ``manifest.json`` that names its files (CSV.gz or Parquet) and their MD5 sums, and a
``manifest.checksum`` that is written last. A file is checked before a line of it is believed: what
a broken report leaves out would look removed.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_plus, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.conditional_write import until_written
from mmsearch_core.errors import BadSettings, ListingBroken
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import digest

Line = tuple[str, str]  # key, version

LAST = "inventory/last.json"  # in the work bucket: the newest report that a comparison went by
LINES = 50_000  # at a time
BLOCK = 1 << 23  # bytes of CSV at a time
DATED = re.compile(r"/\d{4}-\d{2}-\d{2}T\d{2}-\d{2}Z/manifest\.json$")  # the folder of one report
# the columns that are read, as CSV and Parquet name them
COLUMNS = {
    "Key": "key",
    "Size": "size",
    "ETag": "e_tag",
    "IsLatest": "is_latest",
    "IsDeleteMarker": "is_delete_marker",
}
NEEDED = ("Key", "Size", "ETag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One inventory report."""

    manifest: str  # its key
    created: int  # milliseconds since the epoch
    file_format: str
    columns: tuple[str, ...]
    files: tuple[tuple[str, str], ...]  # key, MD5


def find(store: ObjectStore, address: str, *, catalog: str) -> Report:
    """The report at ``s3://bucket/…/manifest.json``, or the newest whole one under
    ``s3://bucket/prefix``."""
    place = urlsplit(address).path.lstrip("/")
    key = place if place.endswith("manifest.json") else _newest(store, place)
    data, checksum = store.get(key), store.get(key.removesuffix("json") + "checksum")
    if data is None or checksum is None:
        raise BadSettings(
            f"s3://{store.bucket}/{key} is not a whole inventory report: correct catalog.inventory."
        )
    if (
        hashlib.md5(data, usedforsecurity=False).hexdigest()
        != checksum.decode(errors="replace").strip()
    ):
        raise ListingBroken(
            f"{key} does not match its checksum: wait for the next inventory report, or name"
            " another."
        )
    return _read_manifest(key, data, catalog)


def lines(store: ObjectStore, report: Report, folder: Path) -> Iterator[list[Line]]:
    """The objects of the report that are there, in batches; each file is held in ``folder`` while
    it is read."""
    for key, md5 in report.files:
        data = store.get(key)
        if data is None or hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
            problem = "is missing" if data is None else "does not match its checksum"
            raise ListingBroken(
                f"{key} of the inventory {problem}: wait for the next report, or name another."
            )
        path = folder / digest("inventory", key)
        path.write_bytes(data)
        del data
        try:
            for batch in (
                _parquet(path) if report.file_format == "Parquet" else _csv(path, report.columns)
            ):
                yield _present(batch, encoded=report.file_format == "CSV")
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ListingBroken(
                f"{key} of the inventory cannot be read ({error}): name another report."
            ) from error
        path.unlink()


def check_newer(work: ObjectStore, report: Report) -> None:
    """ListingBroken if a comparison went by a newer report before: this one would undo what that
    one found."""
    there = work.get(LAST)
    last = from_json(there, Report) if there else None
    if last and last.created > report.created:
        raise ListingBroken(
            f"{report.manifest} is older than {last.manifest}, which was used before: "
            "let catalog.inventory name a newer one."
        )


def remember(work: ObjectStore, report: Report) -> None:
    """Record the report as used, unless a newer one was meanwhile."""

    def write_if_newer() -> None:
        there = work.head(LAST)
        data = work.get(LAST, if_match=there.etag) if there else None
        if data is None or from_json(data, Report).created < report.created:
            work.put(
                LAST,
                to_json(report),
                if_match=there.etag if there else None,
                if_none_match=there is None,
            )

    until_written(write_if_newer, key=LAST)


def _newest(store: ObjectStore, prefix: str) -> str:
    """Of the reports that are whole: the checksum comes last."""
    keys = {found.key for found in store.list(prefix)}
    whole = [
        key for key in keys if DATED.search(key) and key.removesuffix("json") + "checksum" in keys
    ]
    if not whole:
        raise BadSettings(
            f"There is no inventory report under s3://{store.bucket}/{prefix}: correct"
            " catalog.inventory."
        )
    return max(whole, key=lambda key: key.split("/")[-2])


def _read_manifest(key: str, data: bytes, catalog: str) -> Report:
    try:
        said = json.loads(data)
        files = tuple((str(file["key"]), str(file["MD5checksum"])) for file in said["files"])
        columns = tuple(name.strip() for name in said["fileSchema"].split(","))
        bucket, file_format, created = (
            said["sourceBucket"],
            said["fileFormat"],
            int(said["creationTimestamp"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ListingBroken(
            f"{key} is not a manifest of S3 Inventory ({error!r}): name another report."
        ) from error
    if bucket != catalog:
        raise BadSettings(
            f"The inventory {key} is of bucket {bucket}, not {catalog}: correct catalog.inventory."
        )
    if file_format not in ("CSV", "Parquet"):
        raise BadSettings(f"The inventory {key} is in {file_format}: let S3 write CSV or Parquet.")
    if file_format == "CSV":
        _check_columns(key, [COLUMNS.get(name, name) for name in columns])
    return Report(
        manifest=key, created=created, file_format=file_format, columns=columns, files=files
    )


def _check_columns(key: str, there: Sequence[str]) -> None:
    missing = [name for name in NEEDED if COLUMNS[name] not in there]
    if missing:
        raise BadSettings(
            f"The inventory {key} lacks {', '.join(missing)}: add the field to the inventory's"
            " settings."
        )


def _csv(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.csv as csv

    names = [COLUMNS.get(name, name) for name in columns]
    wanted = [name for name in names if name in COLUMNS.values()]
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted
    )
    with pa.input_stream(str(path), compression="gzip") as stream:
        yield from csv.open_csv(
            stream, csv.ReadOptions(column_names=names, block_size=BLOCK), convert_options=convert
        )


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        _check_columns(path.name, names)
        yield from file.iter_batches(
            LINES, columns=[name for name in names if name in COLUMNS.values()]
        )


def _present(batch: pa.RecordBatch, *, encoded: bool) -> list[Line]:
    """Key and version of the lines that stand for an object as it is: neither an old version nor a
    deletion."""
    there = {name: batch.column(name).cast(pa.string()) for name in batch.schema.names}
    version = pc.binary_join_element_wise(pc.utf8_trim(there["e_tag"], '"'), there["size"], ":")
    keep = pc.is_valid(there["key"])
    for column, wanted in (("is_latest", "true"), ("is_delete_marker", "false")):
        if column in there:
            keep = pc.and_(keep, pc.equal(pc.fill_null(there[column], wanted), wanted))
    keys = there["key"].filter(keep).to_pylist()
    versions = version.filter(keep).to_pylist()
    return list(zip(map(unquote_plus, keys) if encoded else keys, versions, strict=True))
