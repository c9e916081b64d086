"""What a message of the queue says: which objects may have changed. Nothing else in it is believed.

S3's own notifications are read, the same inside an envelope of SNS, and those of EventBridge.
"""

import json
from typing import Any
from urllib.parse import unquote_plus

from mmsearch_core.errors import UnusableMessage

LONGEST_KEY = 1024  # bytes, S3's limit


def changed_keys(body: str, bucket: str) -> list[str | UnusableMessage]:
    """The keys of the bucket that the message names; what is no key of it comes back as an error.
    S3's test message names none."""
    try:
        event = _parsed(body)
        if event.get("Type") == "Notification":  # SNS, without raw delivery
            event = _parsed(event["Message"])
        named = _named(event)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        return [UnusableMessage(f"The message is no notification of S3 ({type(error).__name__}).")]
    return [_checked(name, key, bucket) for name, key in named]


def _parsed(text: str) -> dict[str, Any]:
    event = json.loads(text)
    if not isinstance(event, dict):
        raise TypeError("not an object")
    return event


def _named(event: dict[str, Any]) -> list[tuple[str, str | bytes]]:
    """(bucket, key) of every record; bytes where a key is not UTF-8."""
    if event.get("Event") == "s3:TestEvent":  # sent once, when the notification is set up
        return []
    if event.get("source") == "aws.s3":  # EventBridge does not encode keys
        return [(event["detail"]["bucket"]["name"], event["detail"]["object"]["key"])]
    records = [record["s3"] for record in event["Records"]]
    return [(record["bucket"]["name"], _decoded(record["object"]["key"])) for record in records]


def _decoded(key: str) -> str | bytes:
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        return bytes(error.object)


def _checked(name: str, key: str | bytes, bucket: str) -> str | UnusableMessage:
    if name != bucket:
        return UnusableMessage(f"The message is about the bucket {name!r}, not {bucket!r}.")
    if not isinstance(key, str) or not _can_be_asked_for(key):
        return UnusableMessage("The message names a key that no store can be asked for.")
    return key


def _can_be_asked_for(key: str) -> bool:
    """One such key would fail the plan of all the others: stores refuse the request itself."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return 0 < length <= LONGEST_KEY and "\0" not in key and not {".", ".."} & set(key.split("/"))
