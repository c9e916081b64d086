"""S3, or anything that speaks it, through boto3."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from mmsearch_core.errors import BadSettings, MMSearchError, PreconditionFailed, StoreAway
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.settings import Store

Answer = TypeVar("Answer")

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 30, 3
KEYS_A_REQUEST = 1_000  # S3's limit for one request that deletes
DELETERS = 16
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
        for page in self._pages(Prefix=prefix):
            for found in page.get("Contents", ()):
                yield ObjectRef(
                    bucket=self.bucket,
                    key=found["Key"],
                    etag=found["ETag"].strip('"'),
                    size=found["Size"],
                    last_modified=found["LastModified"],
                )

    def folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            for found in page.get("CommonPrefixes", ()):
                yield found["Prefix"].removeprefix(prefix).rstrip("/")

    def _pages(self, **options: str) -> Iterator[dict[str, Any]]:
        pages = iter(self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, **options))
        while (page := self._ask(lambda: next(pages, None))) is not None:
            yield page

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

    def delete_many(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), KEYS_A_REQUEST):
            self._delete_piece(keys[start : start + KEYS_A_REQUEST])

    def _delete_piece(self, keys: Sequence[str]) -> None:
        """One request; then one by one what the endpoint refused, all of it if it has no such request."""
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        try:
            answer = self._ask(lambda: self._client.delete_objects(Bucket=self.bucket, Delete=wanted))
            left = [refused["Key"] for refused in answer.get("Errors", ())]
        except BadSettings:  # not every S3 has this request: Google's interoperable API had none for years
            left = list(keys)
        if left:
            with ThreadPoolExecutor(DELETERS) as deleters:
                list(deleters.map(self.delete, left))

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
