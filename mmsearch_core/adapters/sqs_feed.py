"""The queue of changes on SQS, or anything that speaks it, through boto3."""

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

from more_itertools import chunked

from mmsearch_core.adapters.aws import Account, make_client, unanswered
from mmsearch_core.errors import BadSettings, MMSearchError, QueueAway
from mmsearch_core.records.message import Message
from mmsearch_core.safe_text import redacted
from mmsearch_core.settings import Queue

Answer = TypeVar("Answer")

MOST = 10  # messages in one call of SQS
LONGEST_POLL = 20  # seconds, SQS's limit
# seconds that a batch may take from its last message until its messages are deleted
TIME_TO_RECORD = 120
IN_REGION = re.compile(r"\bsqs\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.")
ABSENT = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"}
BUSY = {
    "RequestThrottled",
    "ThrottlingException",
    "Throttling",
    "OverLimit",
    "RequestTimeout",
    "RequestExpired",
}
# a process anew asks for others
EXPIRED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
}
REFUSED = {
    "AccessDenied",
    "AccessDeniedException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidSecurity",
}


class SqsFeed:
    """One queue. The client is made on first use; region and endpoint are read off the queue's
    URL."""

    def __init__(self, settings: Queue, *, region: str, hidden_seconds: int | None = None) -> None:
        self._settings = settings
        self._region = region  # where the URL names none
        self.hidden_seconds = (
            hidden_seconds or settings.longest_seconds + settings.quiet_seconds + TIME_TO_RECORD
        )

    def waiting(self) -> int:
        name = "ApproximateNumberOfMessages"
        return int(
            self._ask(self._client.get_queue_attributes, AttributeNames=[name])["Attributes"][name]
        )

    def receive(self, limit: int, *, wait: float) -> list[Message]:
        answer = self._ask(
            self._client.receive_message,
            MaxNumberOfMessages=min(limit, MOST),
            WaitTimeSeconds=min(LONGEST_POLL, round(wait)),
            VisibilityTimeout=self.hidden_seconds,
        )
        return [
            Message(
                message_id=found["MessageId"], receipt=found["ReceiptHandle"], body=found["Body"]
            )
            for found in answer.get("Messages", ())
        ]

    def delete(self, messages: Sequence[Message]) -> None:
        for piece in chunked(messages, MOST):
            entries = [
                {"Id": str(number), "ReceiptHandle": message.receipt}
                for number, message in enumerate(piece)
            ]
            # one that fails in it only comes again
            self._ask(self._client.delete_message_batch, Entries=entries)

    @property
    def _url(self) -> str:
        if self._settings.url is None:
            raise BadSettings(
                "There is no queue of changes: set queue.url, or leave catalog_inbox switched off."
            )
        return self._settings.url

    @cached_property
    def _client(self) -> Any:
        address = urlsplit(self._url)
        named = IN_REGION.search(address.netloc)
        return make_client(
            "sqs",
            Account(
                endpoint=f"{address.scheme}://{address.netloc}",
                region=named[1] if named else self._region,
                access_key=self._settings.access_key,
                secret_key=self._settings.secret_key,
            ),
            wrong_endpoint="queue.url is not the address of a queue: correct it.",
        )

    def _ask(self, call: Callable[..., Answer], **request: Any) -> Answer:
        """The one place where errors of botocore become ours."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call(QueueUrl=self._url, **request)
        except ClientError as error:
            raise self._named(error) from error
        except BotoCoreError as error:
            raise unanswered(
                error,
                other_side="queue",
                section="queue",
                address=redacted(self._url),
                away=QueueAway,
            ) from error

    def _named(self, error: Any) -> MMSearchError:
        code = str(error.response["Error"]["Code"])
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in ABSENT:
            return BadSettings(
                f"The queue {redacted(self._url)} is not there: create it, or correct queue.url."
            )
        if code in EXPIRED:
            return QueueAway(
                f"The credentials of the queue have expired ({code}): renew them, or try again"
                " later."
            )
        if code in BUSY or status == 429 or status >= 500:
            return QueueAway(f"The queue is busy or broken ({code}): try again later.")
        if code in REFUSED or status in (401, 403):
            return BadSettings(
                f"The queue refuses access ({code}): correct queue.access_key and what it may do."
            )
        return BadSettings(f"The queue refused a request ({code}): check the [queue] settings.")
