"""S3, or anything that speaks it, through boto3."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from mmsearch_core.errors import BadSettings, MMSearchError, PreconditionFailed, StoreAway
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.settings import Store

Answer = TypeVar("Answer")

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 30, 3
RANGE = 1 << 24  # bytes of a large object per request
REFUSED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed"}
ABSENT = {"404", "NoSuchKey", "NotFound"}


class Conflict(PreconditionFailed):
    """Two conditional writes met: whoever tries again learns who won."""


class S3Store:
    """One bucket. The client is made on first use."""

    def __init__(self, *, bucket: str, settings: Store) -> None:
        self.bucket = bucket
        self._settings = settings

    def list(self, prefix: str = "") -> Iterator[ObjectRef]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        pages = iter(pages)
        while True:
            page = self._ask(lambda: next(pages, None))
            if page is None:
                return
            for found in page.get("Contents", ()):
                yield ObjectRef(
                    bucket=self.bucket,
                    key=found["Key"],
                    etag=found["ETag"].strip('"'),
                    size=found["Size"],
                    last_modified=found["LastModified"],
                )

    def head(self, key: str) -> ObjectRef | None:
        found = self._ask_for(lambda: self._client.head_object(Bucket=self.bucket, Key=key))
        if found is None:
            return None
        return ObjectRef(
            bucket=self.bucket,
            key=key,
            etag=found["ETag"].strip('"'),
            size=found["ContentLength"],
            last_modified=found["LastModified"],
        )

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        options = {"IfMatch": f'"{if_match}"'} if if_match else {}
        data: bytes | None = self._ask_for(
            lambda: self._client.get_object(Bucket=self.bucket, Key=key, **options)["Body"].read()
        )
        return data

    def download(self, key: str, path: Path, *, if_match: str | None = None) -> ObjectRef | None:
        there = self.head(key)
        if there is None:
            return None
        if if_match is not None and there.etag != if_match:
            raise PreconditionFailed(f"{key} is not the object that the caller expected.")
        with path.open("wb") as file:
            for start in range(0, there.size, RANGE):
                file.write(self._range(there, start))
        return there

    @retry(
        retry=retry_if_exception_type(StoreAway),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(0.1, max=2),
        reraise=True,
    )
    def _range(self, of: ObjectRef, start: int) -> bytes:
        """Some bytes of the object from ``start`` on; a connection that breaks off costs these bytes only."""
        end = min(start + RANGE, of.size)
        options = {"Range": f"bytes={start}-{end - 1}", "IfMatch": f'"{of.etag}"'}
        data: bytes | None = self._ask_for(
            lambda: self._client.get_object(Bucket=self.bucket, Key=of.key, **options)["Body"].read()
        )
        if data is None:
            raise PreconditionFailed(f"{of.key} was removed while it was read.")
        if len(data) != end - start:
            raise StoreAway(f"The store gave {len(data)} bytes of {of.key} for {end - start}: try again later.")
        return data

    @retry(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(0.1, max=2),
        reraise=True,
    )
    def put(self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None) -> str:
        options = {"IfMatch": f'"{if_match}"'} if if_match else {}
        options |= {"IfNoneMatch": "*"} if if_none_match else {}
        put = self._client.put_object
        return str(self._ask(lambda: put(Bucket=self.bucket, Key=key, Body=data, **options))["ETag"].strip('"'))

    def delete(self, key: str) -> None:
        self._ask_for(lambda: self._client.delete_object(Bucket=self.bucket, Key=key))

    def create(self) -> None:
        """Make the bucket, unless it is there."""
        if (
            self._ask_for(lambda: self._client.head_bucket(Bucket=self.bucket), absent=ABSENT | {"NoSuchBucket"})
            is None
        ):
            self._ask(lambda: self._client.create_bucket(Bucket=self.bucket))

    def probe(self) -> None:
        """BadSettings if the endpoint does not keep the promise of conditional writes."""
        key = "probe/conditional-write"
        etag = self.put(key, b"1")
        try:
            self.put(key, b"2", if_none_match=True)
        except PreconditionFailed:
            self.put(key, b"1", if_match=etag)
            return
        raise BadSettings("store.endpoint ignores conditional writes (If-None-Match): use one that honours them.")

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        secret = self._settings.secret_key
        return boto3.client(
            "s3",
            endpoint_url=self._settings.endpoint,
            region_name=self._settings.region,
            aws_access_key_id=self._settings.access_key,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "max_attempts": ATTEMPTS},
                max_pool_connections=32,
                s3={"addressing_style": "path"} if self._settings.endpoint else {},
            ),
        )

    def _ask_for(self, call: Callable[[], Answer], absent: frozenset[str] | set[str] = ABSENT) -> Answer | None:
        try:
            return self._ask(call)
        except KeyError as error:
            if error.args and error.args[0] in absent:
                return None
            raise

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        """The one place where errors of botocore become ours; an absent object is a KeyError for ``_ask_for``."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call()
        except ClientError as error:
            raise self._named(error) from error
        except BotoCoreError as error:
            raise self._unanswered(error) from error

    def _named(self, error: Any) -> Exception:
        code = str(error.response["Error"]["Code"])
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in ("PreconditionFailed", "412"):
            return PreconditionFailed(f"{self.bucket}: the object is not as the caller expected.")
        if status == 409 and code == "ConditionalRequestConflict":
            return Conflict(f"{self.bucket}: two writes met.")
        if code == "NoSuchBucket":
            return BadSettings(
                f"The bucket {self.bucket} is not there: create it, or correct its name in the settings."
            )
        if code in ABSENT:
            return KeyError(code)
        if code in REFUSED or status in (401, 403):
            return BadSettings(
                f"The store refuses access to {self.bucket} ({code}): correct store.access_key and secret_key."
            )
        if status >= 500 or code in ("SlowDown", "RequestTimeout", "Throttling", "RequestTimeTooSkewed"):
            return StoreAway(f"The store is busy or broken ({code}): try again later.")
        return BadSettings(f"The store refused a request to {self.bucket} ({code}): check the [store] settings.")

    def _unanswered(self, error: Exception) -> MMSearchError:
        name = type(error).__name__
        if "Credential" in name or "Profile" in name or "ParamValidation" in name or "InvalidRegion" in name:
            return BadSettings(
                f"The store cannot be asked ({name}): set store.access_key and secret_key, or correct them."
            )
        return StoreAway(f"The store at {self._settings.endpoint or 'AWS'} does not answer ({name}): try again later.")
