"""What the answers of S3 endpoints mean, vendor by vendor: exit 75 where a retry can help, 78 where
a person has to."""

import pytest
from botocore.exceptions import ClientError

from mmsearch_core.adapters.s3_errors import BY_CODE, BY_STATUS, Absent, Conflict, s3_error
from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.errors import BadSettings, MMSearchError, PreconditionFailed, StoreAway
from mmsearch_core.settings import Store

VENDORS: dict[str, list[tuple[int, str, type[MMSearchError]]]] = {
    "AWS": [
        (400, "ExpiredToken", StoreAway),
        (400, "InvalidToken", BadSettings),
        (400, "TokenRefreshRequired", StoreAway),
        (400, "400", StoreAway),  # HEAD with an expired token
        (400, "RequestTimeout", StoreAway),
        (400, "IncompleteBody", StoreAway),
        (400, "BadDigest", StoreAway),
        (400, "InvalidRequest", BadSettings),
        (400, "InvalidBucketName", BadSettings),
        (400, "AuthorizationHeaderMalformed", BadSettings),
        (400, "KeyTooLongError", BadSettings),
        (301, "PermanentRedirect", BadSettings),
        (307, "TemporaryRedirect", StoreAway),
        (403, "AccessDenied", BadSettings),
        (403, "403", BadSettings),
        (403, "InvalidAccessKeyId", BadSettings),
        (403, "SignatureDoesNotMatch", BadSettings),
        (403, "RequestTimeTooSkewed", StoreAway),
        (404, "NoSuchKey", Absent),
        (404, "404", Absent),
        (404, "NoSuchBucket", BadSettings),
        (409, "OperationAborted", Conflict),
        (409, "ConditionalRequestConflict", Conflict),
        (412, "PreconditionFailed", PreconditionFailed),
        (412, "412", PreconditionFailed),
        (500, "InternalError", StoreAway),
        (501, "NotImplemented", BadSettings),
        (503, "SlowDown", StoreAway),
        (503, "ServiceUnavailable", StoreAway),
        (503, "503", StoreAway),
    ],
    "MinIO": [
        (304, "304", PreconditionFailed),  # older ones, to PUT with If-None-Match
        (400, "AuthorizationHeaderMalformed", BadSettings),
        (400, "XMinioAdminBucketQuotaExceeded", StoreAway),
        (403, "RequestTimeTooSkewed", StoreAway),
        (412, "PreconditionFailed", PreconditionFailed),
        (503, "SlowDownRead", StoreAway),
        (503, "SlowDownWrite", StoreAway),
        (503, "XMinioServerNotInitialized", StoreAway),
        (507, "XMinioStorageFull", StoreAway),
    ],
    "SeaweedFS": [
        (404, "NoSuchKey", Absent),
        (404, "NoSuchBucket", BadSettings),
        (412, "PreconditionFailed", PreconditionFailed),
        (500, "InternalError", StoreAway),
        (501, "NotImplemented", BadSettings),
        (503, "TooManyRequests", StoreAway),
        (503, "SlowDown", StoreAway),
    ],
    "Ceph RGW": [
        (403, "QuotaExceeded", StoreAway),
        (403, "RequestTimeTooSkewed", StoreAway),
        (404, "NoSuchKey", Absent),
        (409, "ConcurrentModification", Conflict),
        (412, "PreconditionFailed", PreconditionFailed),
        (405, "MethodNotAllowed", BadSettings),
        (501, "NotImplemented", BadSettings),
        (503, "SlowDown", StoreAway),
        (503, "ServiceUnavailable", StoreAway),
    ],
    "Google Cloud Storage": [
        (400, "NotImplemented", BadSettings),
        (401, "AuthenticationRequired", BadSettings),
        (408, "RequestTimeout", StoreAway),
        (412, "PreconditionFailed", PreconditionFailed),
        (429, "SlowDown", StoreAway),
        (429, "TooManyRequests", StoreAway),
        (429, "RateLimitExceeded", StoreAway),
        (429, "429", StoreAway),
        (501, "NotImplemented", BadSettings),
        (502, "502", StoreAway),
        (503, "ServiceUnavailable", StoreAway),
    ],
    "Cloudflare R2": [
        (400, "ExpiredRequest", StoreAway),
        (400, "ClientDisconnect", StoreAway),
        (401, "Unauthorized", BadSettings),
        (403, "NotEntitled", BadSettings),
        (412, "PreconditionFailed", PreconditionFailed),
        (429, "TooManyRequests", StoreAway),
        (500, "InternalError", StoreAway),
        (501, "NotImplemented", BadSettings),
        (503, "ServiceUnavailable", StoreAway),
    ],
    "a gateway before any of them": [
        (0, "", BadSettings),
        (400, "", StoreAway),
        (404, "", Absent),
        (409, "SomethingElse", Conflict),
        (418, "IAmATeapot", BadSettings),
        (429, "", StoreAway),
        (502, "Bad Gateway", StoreAway),
        (504, "Gateway Time-out", StoreAway),
        (200, "InternalError", StoreAway),
        (200, "RequestLimitExceeded", StoreAway),
        (400, "ExpiredTokenException", StoreAway),
        (400, "RequestExpired", StoreAway),
        (400, "ThrottlingException", StoreAway),
    ],
}
CASES = [(vendor, *case) for vendor, cases in VENDORS.items() for case in cases]


@pytest.mark.parametrize(("vendor", "status", "code", "kind"), CASES)
def test_an_answer_is_named_by_what_the_caller_should_do(
    vendor: str, status: int, code: str, kind: type[MMSearchError]
) -> None:
    """And in one sentence that names the bucket or the store."""
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = S3Store(bucket="b", settings=Store())._named(ClientError(response, "PutObject"))  # type: ignore[arg-type]
    assert type(error) is kind, vendor
    assert str(error).endswith(".")
    assert f"({code or status})" in str(error)


def test_every_meaning_has_a_sentence() -> None:
    for meaning in {*BY_CODE.values(), *BY_STATUS.values()}:
        error = meaning.error(bucket="b", code="C")
        assert isinstance(error, MMSearchError)
        assert "{" not in str(error)


def test_an_answer_without_any_of_its_usual_parts_is_named_too() -> None:
    assert isinstance(
        S3Store(bucket="b", settings=Store())._named(ClientError({}, "PutObject")), BadSettings
    )


def test_a_code_says_more_than_its_status() -> None:
    assert isinstance(s3_error(status=400, code="SlowDown", bucket="b"), StoreAway)
    assert isinstance(s3_error(status=403, code="RequestTimeTooSkewed", bucket="b"), StoreAway)
