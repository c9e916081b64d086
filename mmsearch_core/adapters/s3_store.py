"""S3, or anything that speaks it, through boto3."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from more_itertools import chunked
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from mmsearch_core.adapters.aws import ATTEMPTS, Account, make_client, unanswered
from mmsearch_core.adapters.conditions_probe import check_once
from mmsearch_core.adapters.s3_errors import Absent, Conflict, s3_error
from mmsearch_core.errors import BadSettings, MMSearchError, PreconditionFailed, StoreAway
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.safe_text import redacted
from mmsearch_core.settings import Store

Answer = TypeVar("Answer")

CONNECTIONS = 32
KEYS_PER_REQUEST = 1_000  # S3's limit for one request that deletes
DELETERS = 16
RANGE = 1 << 24  # bytes of a large object per request


class S3Store:
    """One bucket. The client is made on first use.

    :param probed: whether the store is asked before the first conditional write if it keeps
        conditions. Only for a bucket that may be written to; the answer is remembered there.
    """

    def __init__(self, *, bucket: str, settings: Store, probed: bool = False) -> None:
        self.bucket = bucket
        self._settings = settings
        self._unprobed = probed
        self._probing = threading.Lock()

    def list(self, prefix: str = "") -> Iterator[ObjectRef]:
        for page in self._pages(Prefix=prefix):
            for found in page.get("Contents", ()):
                yield self._reference(found["Key"], found, size=found["Size"])

    def folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            for found in page.get("CommonPrefixes", ()):
                yield found["Prefix"].removeprefix(prefix).rstrip("/")

    def _pages(self, **options: str) -> Iterator[dict[str, Any]]:
        pages = iter(
            self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, **options)
        )
        while (page := self._ask(lambda: next(pages, None))) is not None:
            if "IsTruncated" not in page:  # a web page, of which boto3 would make an empty bucket
                raise self._no_endpoint()
            yield page

    def head(self, key: str) -> ObjectRef | None:
        found = self._ask_for(lambda: self._client.head_object(Bucket=self.bucket, Key=key))
        return None if found is None else self._reference(key, found, size=found["ContentLength"])

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        options = {"IfMatch": f'"{if_match}"'} if if_match is not None else {}
        data: bytes | None = self._ask_for(
            lambda: self._client.get_object(Bucket=self.bucket, Key=key, **options)["Body"].read()
        )
        return data

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        options = {"IfMatch": f'"{if_match}"'} if if_match is not None else {}
        options |= {"IfNoneMatch": "*"} if if_none_match else {}
        if options:
            self._probe()
        try:
            return self._put(Key=key, Body=data, **options)
        except Absent as error:
            if if_match is None:
                raise
            # over a missing object AWS answers 404 and SeaweedFS 412
            raise PreconditionFailed(
                f"There is no object {key} in {self.bucket} to write over."
            ) from error

    def delete(self, key: str) -> None:
        self._ask_for(lambda: self._client.delete_object(Bucket=self.bucket, Key=key))

    def delete_many(self, keys: Sequence[str]) -> None:
        for piece in chunked(keys, KEYS_PER_REQUEST):
            self._delete_piece(piece)

    def _delete_piece(self, keys: Sequence[str]) -> None:
        """One request; then one by one what the endpoint refused, all of it if it has no such
        request."""
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        try:
            answer = self._ask(
                lambda: self._client.delete_objects(Bucket=self.bucket, Delete=wanted)
            )
            left = [refused["Key"] for refused in answer.get("Errors", ())]
        except (
            BadSettings
        ):  # not every S3 has this request: Google's interoperable API had none for years
            left = list(keys)
        if left:
            with ThreadPoolExecutor(DELETERS) as deleters:
                list(deleters.map(self.delete, left))

    def create(self) -> None:
        """Make the bucket, unless it is there."""
        try:
            there = self._ask_for(lambda: self._client.head_bucket(Bucket=self.bucket))
        except BadSettings:  # absent in other words, or refused, which the next request says too
            there = None
        if there is None:
            self._ask(lambda: self._client.create_bucket(Bucket=self.bucket))

    def download(self, found: ObjectRef, path: Path) -> None:
        try:
            with path.open("wb") as file:
                for start in range(0, found.size, RANGE):
                    file.write(self._range(found, start))
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def upload(self, key: str, path: Path) -> None:
        with path.open("rb") as file:
            self._ask(lambda: self._client.upload_fileobj(file, self.bucket, key))

    @retry(
        retry=retry_if_exception_type(StoreAway),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(0.1, max=2),
        reraise=True,
    )
    def _range(self, of: ObjectRef, start: int) -> bytes:
        """Some bytes of the object from ``start`` on; a connection that breaks off costs these
        bytes only."""
        end = min(start + RANGE, of.size)
        options = {"Range": f"bytes={start}-{end - 1}", "IfMatch": f'"{of.etag}"'}
        data: bytes | None = self._ask_for(
            lambda: self._client.get_object(Bucket=self.bucket, Key=of.key, **options)[
                "Body"
            ].read()
        )
        if data is None:
            raise PreconditionFailed(f"{of.key} was removed while it was read.")
        if len(data) != end - start:
            raise StoreAway(
                f"The store gave {len(data)} bytes of {of.key} for {end - start}: try again later."
            )
        return data

    @retry(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(0.1, max=2),
        reraise=True,
    )
    def _put(self, **request: Any) -> str:
        return _etag(
            self._ask(lambda: self._client.put_object(Bucket=self.bucket, **request)), self.bucket
        )

    def _probe(self) -> None:
        """Ask once a process whether the store keeps conditions."""
        if not self._unprobed:
            return
        with self._probing:
            if self._unprobed:
                check_once(S3Store(bucket=self.bucket, settings=self._settings), self._address)
                self._unprobed = False

    def _reference(self, key: str, found: Mapping[str, Any], *, size: int) -> ObjectRef:
        return ObjectRef(
            bucket=self.bucket,
            key=key,
            etag=_etag(found, self.bucket),
            size=size,
            last_modified=found["LastModified"],
        )

    @cached_property
    def _client(self) -> Any:
        settings = self._settings
        # other makers' endpoints may not know the checksums in trailers that boto3 adds unasked,
        # and answer 501
        others: dict[str, Any] = {
            "s3": {"addressing_style": "path"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
        return make_client(
            "s3",
            Account(
                endpoint=settings.endpoint,
                region=settings.region,
                access_key=settings.access_key,
                secret_key=settings.secret_key,
            ),
            options={"max_pool_connections": CONNECTIONS, **(others if settings.endpoint else {})},
            wrong_endpoint="store.endpoint is not the address of a store: correct it.",
        )

    def _ask_for(self, call: Callable[[], Answer]) -> Answer | None:
        """The answer, or None where there is no such object."""
        try:
            return self._ask(call)
        except Absent:
            return None

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        """The one place where errors of botocore become ours."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            return call()
        except ClientError as error:
            raise self._named(error) from error
        except BotoCoreError as error:
            raise unanswered(
                error,
                other_side="store",
                section="store",
                address=self._address,
                away=StoreAway,
            ) from error
        except ResponseParserError as error:
            raise self._no_endpoint() from error

    def _named(self, error: Any) -> MMSearchError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return s3_error(status=status, code=code, bucket=self.bucket)

    def _no_endpoint(self) -> StoreAway:
        return StoreAway(
            f"What answers at {self._address} is no S3 endpoint: try again later, or correct"
            " store.endpoint."
        )

    @property
    def _address(self) -> str:
        return redacted(self._settings.endpoint or "AWS")


def _etag(found: Mapping[str, Any], bucket: str) -> str:
    """The ETag as it goes into a condition: a proxy that compresses marks it as weak, some stores
    leave its quotes out."""
    etag = str(found.get("ETag") or "").removeprefix("W/").strip('"')
    if not etag:
        raise BadSettings(
            f"The store gives no ETags for {bucket}: let store.endpoint name one that does."
        )
    return etag
