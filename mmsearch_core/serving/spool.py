"""Lists on their way into a generation: serialised once, spooled per bucket on the local disk, then
made bucket files.

Memory holds one bucket at a time, whatever the number of queries.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmsearch_core.codec import to_json_value
from mmsearch_core.parquet import schema_of, to_table
from mmsearch_core.records.ids import ProductId, QueryKey
from mmsearch_core.records.ranking import ResultSet
from mmsearch_core.serving.generation import SCHEMA, bucket_numbers, bucket_of
from mmsearch_core.serving.published_lists import PublishedLists

PART_LISTS = 5_000  # lists per Parquet file: a file is uploaded as a whole
PRODUCTS = pa.schema([("product_id", pa.string())])


@dataclass(frozen=True, slots=True)
class Claim:
    """An entry that wants to stand under a key: a query's own list before an alias, the heavier
    query before the lighter, and of two that are equal that of the lower query key."""

    own: bool
    weight: float
    query_key: str
    entry: bytes

    @property
    def order(self) -> tuple[bool, float, str]:
        """The claim of the lowest order wins."""
        return (not self.own, -self.weight, self.query_key)


class Spool:
    """Takes lists shard by shard and gives bucket files. ``folder`` is empty and on the local
    disk."""

    def __init__(self, folder: Path, buckets: int) -> None:
        self._folder, self._buckets = folder, buckets
        self.products: set[ProductId] = set()

    def add(self, results: Sequence[ResultSet]) -> None:
        """Spool the lists under their own keys and under those of their aliases."""
        lines: dict[str, list[bytes]] = defaultdict(list)
        for result in results:
            self.products.update(hit.product_id for hit in result.hits)
            entry = entry_of(result)
            for key in dict.fromkeys((result.query_key, *result.aliases)):
                own = key == result.query_key
                head = f"{key}\t{int(own)}\t{result.weight!r}\t{result.query_key}\t"
                lines[bucket_of(key, self._buckets)].append(head.encode() + entry + b"\n")
        for number, added in lines.items():
            with (self._folder / f"{number}.lines").open("ab") as file:
                file.writelines(added)

    def finish(self) -> "BucketFiles":
        """Make the bucket files, empty ones too, so that a reader finds one for every key."""
        checksums = {}
        for number in bucket_numbers(self._buckets):
            data = self._bucket_file(self._folder / f"{number}.lines")
            (self._folder / f"{number}.json").write_bytes(data)
            checksums[number] = sha256(data).hexdigest()
        return BucketFiles(folder=self._folder, checksums=checksums)

    def _bucket_file(self, lines: Path) -> bytes:
        claims: dict[str, Claim] = {}
        for key, claim in _claims(lines):
            if key not in claims or claim.order < claims[key].order:
                claims[key] = claim
        lines.unlink(missing_ok=True)
        return (
            b"{"
            + b", ".join(f'"{key}": '.encode() + claims[key].entry for key in sorted(claims))
            + b"}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFiles:
    """The bucket files of a generation on the local disk; sha256 by bucket number."""

    folder: Path
    checksums: Mapping[str, str]

    @property
    def content(self) -> str:
        """Digest of all that a reader can see: keys, aliases, lists, and how they are dealt into
        buckets."""
        lines = [f"{number} {checksum}\n" for number, checksum in sorted(self.checksums.items())]
        return sha256(f"schema {SCHEMA}\n{''.join(lines)}".encode()).hexdigest()

    def data(self, number: str) -> bytes:
        """The bytes of one bucket file."""
        return (self.folder / f"{number}.json").read_bytes()

    def lists(self, number: str) -> PublishedLists:
        """The lists of one bucket file."""
        return PublishedLists(self.data(number))


class RowFiles:
    """The same lists as Parquet files for analysis: a row group per shard, at most ``PART_LISTS``
    lists per file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: pq.ParquetWriter | None = None
        self._lists = 0
        self.paths: list[Path] = []

    def add(self, results: Sequence[ResultSet]) -> None:
        """Write the lists of one shard, as a row group of their own."""
        if self._writer is None or self._lists + len(results) > PART_LISTS:
            self.finish()
            self.paths.append(self._folder / f"part-{len(self.paths):05}.parquet")
            self._writer = pq.ParquetWriter(
                self.paths[-1], schema_of(ResultSet), compression="zstd"
            )
            self._lists = 0
        self._writer.write_table(to_table(results, ResultSet))
        self._lists += len(results)

    def finish(self) -> None:
        """Write the footer of the file that is open, without which Parquet cannot be read."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def entry_of(result: ResultSet) -> bytes:
    """A list as storefronts read it, as JSON in one line. It says nothing of a generation or a
    weight, so that an unchanged list stays equal."""
    plain = to_json_value(result)
    entry = {name: plain[name] for name in ("query", "locale", "hits")}
    return json.dumps(entry, ensure_ascii=False, sort_keys=True).encode()


def write_products(products: set[ProductId], path: Path) -> None:
    """Write the ids, sorted, as Parquet."""
    table = pa.Table.from_pydict({"product_id": sorted(products)}, schema=PRODUCTS)
    pq.write_table(table, path, compression="zstd")


def _claims(lines: Path) -> Iterator[tuple[QueryKey, Claim]]:
    if not lines.exists():
        return
    with lines.open("rb") as file:
        for line in file:
            key, own, weight, query, entry = line.rstrip(b"\n").split(b"\t", 4)
            yield QueryKey(key.decode()), Claim(own == b"1", float(weight), query.decode(), entry)
