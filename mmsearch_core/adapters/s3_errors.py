"""What an error of an S3 endpoint means, by its code and its HTTP status, whoever made the
endpoint.

The codes are those that AWS, MinIO, SeaweedFS, Ceph RGW, Google Cloud Storage (XML) and Cloudflare
R2 give. A code says more than a status, so it is looked up first; a status decides where a code is
unknown or missing (answers to HEAD have no body, so their code is the status again).
"""

from dataclasses import dataclass

from mmsearch_core.errors import BadSettings, MMSearchError, PreconditionFailed, StoreAway


class Absent(BadSettings):
    """There is no such object: an answer to whoever reads, and an error to everybody else."""


class Conflict(StoreAway):
    """Two requests for one object met: whoever tries again learns which of them won."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A kind of error, and the sentence for people."""

    kind: type[MMSearchError]
    sentence: str

    def error(self, *, bucket: str, code: str) -> MMSearchError:
        """The error to raise."""
        return self.kind(self.sentence.format(bucket=bucket, code=code))


ABSENT = Meaning(
    Absent, "The store has nothing where {bucket} should be ({code}): correct store.endpoint."
)
BUSY = Meaning(StoreAway, "The store is busy or broken ({code}): try again later.")
CLOCK = Meaning(
    StoreAway,
    "The clocks of this machine and of the store differ ({code}): set this machine's; it is tried"
    " again.",
)
CONFLICT = Meaning(
    Conflict, "Others write the same object of {bucket} all the time ({code}): try again later."
)
DAMAGED = Meaning(
    StoreAway, "A request to {bucket} arrived damaged or too late ({code}): try again later."
)
EXPIRED = Meaning(
    StoreAway,
    "The credentials for {bucket} have expired ({code}): renew them, unless they renew themselves.",
)
FULL = Meaning(
    StoreAway, "The store has no room left for {bucket} ({code}): make room; it is tried again."
)
LOST = Meaning(PreconditionFailed, "An object of {bucket} is not as the caller expected ({code}).")
NO_BUCKET = Meaning(
    BadSettings,
    "The bucket {bucket} is not there ({code}): create it, or correct its name in the settings.",
)
REFUSED = Meaning(
    BadSettings,
    "The store refuses access to {bucket} ({code}): correct store.access_key and secret_key, or"
    " what they may do.",
)
REGION = Meaning(
    BadSettings,
    "The bucket {bucket} is elsewhere ({code}): correct store.region and store.endpoint.",
)
UNSAID = Meaning(
    StoreAway,
    "The store refused to look into {bucket} ({code}), mostly for expired credentials: try again"
    " later.",
)
UNSUPPORTED = Meaning(
    BadSettings,
    "The store lacks a feature that mmsearch needs for {bucket} ({code}): use one with conditional"
    " reads and writes.",
)
OTHER = Meaning(
    BadSettings, "The store refused a request to {bucket} ({code}): check the [store] settings."
)

BY_CODE: dict[str, Meaning] = {
    **dict.fromkeys(("NoSuchKey", "NotFound", "NoSuchVersion"), ABSENT),
    **dict.fromkeys(
        (
            "BandwidthLimitExceeded",
            "Busy",
            "InternalError",
            "OperationTimedOut",
            "RateLimitExceeded",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "ServerBusy",
            "ServiceUnavailable",
            "SlowDown",
            "SlowDownRead",
            "SlowDownWrite",
            "TemporaryRedirect",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
            "TooManyRequestsException",
            "XMinioBackendDown",
            "XMinioServerNotInitialized",
        ),
        BUSY,
    ),
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestInTheFuture"), CLOCK),
    **dict.fromkeys(
        ("ConditionalRequestConflict", "OperationAborted", "ConcurrentModification"), CONFLICT
    ),
    **dict.fromkeys(
        (
            "BadDigest",
            "ClientDisconnect",
            "ExpiredRequest",
            "IncompleteBody",
            "RequestExpired",
            "RequestTimeout",
            "RequestTimeoutException",
        ),
        DAMAGED,
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), EXPIRED),
    **dict.fromkeys(
        (
            "QuotaExceeded",
            "XMinioAdminBucketQuotaExceeded",
            "XMinioStorageFull",
            "InsufficientStorage",
        ),
        FULL,
    ),
    "PreconditionFailed": LOST,
    "NoSuchBucket": NO_BUCKET,
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccountProblem",
            "AllAccessDisabled",
            "InvalidAccessKeyId",
            "InvalidSecurity",
            "InvalidToken",
            "NotSignedUp",
            "SignatureDoesNotMatch",
            "Unauthorized",
            "UnauthorizedAccess",
        ),
        REFUSED,
    ),
    **dict.fromkeys(
        ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"),
        REGION,
    ),
    **dict.fromkeys(("NotImplemented", "MethodNotAllowed", "UnsupportedOperation"), UNSUPPORTED),
}

BY_STATUS: dict[int, Meaning] = {
    301: REGION,
    304: LOST,  # older MinIO, to a PUT with If-None-Match
    307: BUSY,
    308: REGION,
    401: REFUSED,
    403: REFUSED,
    404: ABSENT,
    405: UNSUPPORTED,
    408: DAMAGED,
    409: CONFLICT,
    412: LOST,
    425: BUSY,
    429: BUSY,
    501: UNSUPPORTED,
    505: UNSUPPORTED,
    507: FULL,
}


def s3_error(*, status: int, code: str, bucket: str) -> MMSearchError:
    """The error of ours for an endpoint's answer.

    :param status: HTTP status; 0 where none came.
    :param code: the code in the answer's body, or whatever stands for it.
    """
    return _meaning(status, code).error(bucket=bucket, code=code or str(status))


def _meaning(status: int, code: str) -> Meaning:
    if code in BY_CODE:
        return BY_CODE[code]
    if status == 400 and code in ("", "400", "Bad Request"):
        return UNSAID
    if status in BY_STATUS:
        return BY_STATUS[status]
    return BUSY if status >= 500 else OTHER
