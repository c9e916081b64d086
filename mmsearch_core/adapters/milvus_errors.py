"""What an error of Milvus means, by its code; by its words only where there is no code that says
anything.

Codes are those of Milvus 2.5 and 2.6 (``merr``). 1 and 65535 say nothing: the server gives them to
what it has no code for, Milvus Lite to nearly everything, and pymilvus to errors of its own, which
are told apart by their class first.

What is not named here is the server's trouble (exit 75): Milvus has many codes for its inner life,
and adds some with each version; a task ends after a few retries anyway. What Milvus calls wrong in
our request is not tried again (78).
"""

import re
from dataclasses import dataclass
from typing import Any

from mmsearch_core.errors import BadSettings, IndexAway, MMSearchError, SchemaMismatch, StageMissing
from mmsearch_core.safe_text import printable, redacted

LONGEST = 200  # characters that are shown of what Milvus says


@dataclass(frozen=True, slots=True)
class Meaning:
    """A kind of error, and the sentence for people."""

    kind: type[MMSearchError]
    sentence: str


AWAY = Meaning(
    IndexAway, "Milvus at {address} does not answer, or not yet ({said}): try again later."
)
BAD_ADDRESS = Meaning(
    BadSettings, "index.uri ({address}) is not the address of a Milvus ({said}): correct it."
)
FULL = Meaning(
    IndexAway, "Milvus at {address} is short of room ({said}): give it more, or try again later."
)
GONE = Meaning(
    StageMissing,
    "Milvus at {address} lacks a collection ({said}): run catalog_refresh to build it again.",
)
NO_DATABASE = Meaning(
    BadSettings, "Milvus at {address} has no such database ({said}): correct index.uri."
)
OTHER_SCHEMA = Meaning(
    SchemaMismatch,
    "A collection of Milvus at {address} was made by another version ({said}): choose another"
    " index.alias, or drop it.",
)
REFUSED = Meaning(
    BadSettings,
    "Milvus at {address} refuses us ({said}): correct index.token, or what its user may do.",
)
TOO_MANY = Meaning(
    BadSettings,
    "Milvus at {address} holds as many as it may ({said}): retire an index, or raise its limit.",
)
UNSUPPORTED = Meaning(
    BadSettings, "Milvus at {address} lacks a feature ({said}): use Milvus 2.5 or later."
)
WRONG = Meaning(
    BadSettings,
    "Milvus at {address} calls a request wrong ({said}): use Milvus 2.5 or later, and report it if"
    " it is.",
)

BY_CODE: dict[int, Meaning] = {
    **dict.fromkeys((3, 7, 9, 12), FULL),  # memory, disk, quota, resources
    10: UNSUPPORTED,
    100: GONE,
    102: TOO_MANY,
    105: WRONG,  # illegal schema
    107: WRONG,
    250: TOO_MANY,
    **dict.fromkeys((300, 301, 303), WRONG),  # resource groups as somebody configured them
    700: GONE,  # no index: whoever made the collection died
    701: UNSUPPORTED,
    800: NO_DATABASE,
    801: TOO_MANY,
    802: NO_DATABASE,
    **dict.fromkeys((1100, 1101, 1102), WRONG),  # parameters
    **dict.fromkeys((1400, 1401, 1800), REFUSED),
    1600: GONE,  # alias
    1601: Meaning(
        BadSettings,
        "Milvus at {address} has a collection of the alias's name ({said}): choose another"
        " index.alias.",
    ),
    1603: GONE,
    **dict.fromkeys((1700, 1701), OTHER_SCHEMA),  # fields
    **dict.fromkeys((1801, 1802, 1803, 1804, 1806), WRONG),
    2001: UNSUPPORTED,
    3000: UNSUPPORTED,
}
TOO_LARGE = "larger than max"  # what gRPC says of a message over its limit
MUTE = {0, 1, 65535}  # codes that say nothing
LITE_ILLEGAL_ARGUMENT = 6  # Milvus itself calls that number "cross cluster routing"

BY_CLASS: dict[str, Meaning] = {
    "CollectionNotExistException": GONE,
    "ConnectionConfigException": BAD_ADDRESS,
    "IndexNotExistException": GONE,
    "SchemaMismatchRetryableException": OTHER_SCHEMA,
    "ServerVersionIncompatibleException": UNSUPPORTED,
    **dict.fromkeys(
        (
            "AmbiguousIndexName",
            "AutoIDException",
            "CannotInferSchemaException",
            "DataNotMatchException",
            "DataTypeNotMatchException",
            "DataTypeNotSupportException",
            "FieldTypeException",
            "FieldsTypeException",
            "FunctionsTypeException",
            "InvalidConsistencyLevel",
            "ParamError",
            "PrimaryKeyException",
            "SchemaNotReadyException",
        ),
        WRONG,
    ),
}

BY_GRPC: dict[str, Meaning] = {
    "INVALID_ARGUMENT": WRONG,
    "PERMISSION_DENIED": REFUSED,
    "UNAUTHENTICATED": REFUSED,
    "UNIMPLEMENTED": UNSUPPORTED,
}

# the first that is found decides; "collection=449: channel not found" names no lost collection
BY_WORDS: tuple[tuple[str, Meaning], ...] = (
    (r"\bauth(entication)? (check )?fail|unauthenticated|permission den|invalid token", REFUSED),
    (
        (
            r"connect|unavailable|timeout|timed out|deadline|not ready|retry|closed channel|reset"
            r" by peer"
        ),
        AWAY,
    ),
    (
        (
            r"can't find collection|collection not (found|exist)|collection \S+ (not found|not"
            r" exist|does not exist)"
        ),
        GONE,
    ),
    (r"database not (found|exist)|database \S+ (not found|not exist|does not exist)", NO_DATABASE),
    (r"not supported|unimplemented", UNSUPPORTED),
)


def milvus_error(error: Exception, *, uri: str) -> MMSearchError:
    """The error of ours for one of pymilvus or gRPC.

    :param uri: address of Milvus; credentials in it are not shown.
    """
    code, text = _said(error)
    meaning = _meaning(error, code, text)
    shown = ", ".join(filter(None, (_name(code), printable(redacted(text))[:LONGEST].rstrip(". "))))
    return meaning.kind(
        meaning.sentence.format(address=redacted(uri), said=shown or type(error).__name__)
    )


def _meaning(error: Exception, code: Any, text: str) -> Meaning:
    name = type(error).__name__
    if name in BY_CLASS:
        return BY_CLASS[name]
    if not isinstance(code, int):
        return WRONG if TOO_LARGE in text else BY_GRPC.get(_name(code), AWAY)
    if code == LITE_ILLEGAL_ARGUMENT and "cluster" not in text:
        return _by_words(text) or WRONG
    if code in BY_CODE:
        return BY_CODE[code]
    if getattr(error, "is_input_error", False):
        return WRONG
    return (_by_words(text) if code in MUTE else None) or AWAY


def _said(error: Exception) -> tuple[Any, str]:
    """Code and text. An error of gRPC has them as methods, and hands its code to the one that
    pymilvus makes of it."""
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    text = details() if callable(details) else getattr(error, "message", "")
    return code() if callable(code) else code, str(text or "")


def _by_words(text: str) -> Meaning | None:
    return next(
        (meaning for words, meaning in BY_WORDS if re.search(words, text, re.IGNORECASE)), None
    )


def _name(code: Any) -> str:
    return str(getattr(code, "name", code)) if code is not None else ""
