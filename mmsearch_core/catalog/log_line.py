"""A line of the query log, checked at the door: whoever can type into the shop's search can write
into its log."""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BufferedIOBase, BytesIO

from pydantic_core import from_json

from mmsearch_core.records.query import QueryEvent, is_locale, usable_query

LONGEST_LINE = 64 * 1024  # bytes; a longer one is no event
LONGEST_SESSION = 200  # characters
FIRST_YEAR = 2000  # what is older is of a clock that was never set
BLOCK = 1024 * 1024
_LETTER = re.compile(r"[^\W\d_]")


def lines(stream: BufferedIOBase) -> Iterator[bytes | None]:
    """The lines of a log object, without empty ones; None for each that is too long, and for all
    that comes after a broken place of a gzip'd stream. Only a line feed ends a line, since a JSON
    text may hold all other separators. Memory is bounded whatever the stream holds."""
    rest = b""
    while block := _block(stream):
        *whole, rest = (rest + block).split(b"\n")
        yield from _checked(whole)
        rest = rest[: LONGEST_LINE + 1]  # enough to know that it is too long
    if block is None:
        yield None
    else:
        yield from _checked([rest])


def read_line(line: bytes) -> QueryEvent | None:
    """The event of a line, or None where it holds none: it is no JSON object, is nested too deep,
    is no UTF-8, or lacks a time, a session, a locale or a query of the right type. A time without
    zone is UTC."""
    try:
        # knows a limit of depth, and refuses half a surrogate pair
        said = from_json(line.removeprefix(codecs.BOM_UTF8))
        time = datetime.fromisoformat(said["time"])
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        session, locale, query = said["session"], said["locale"], said["query"]
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    if type(session) is int:
        session = str(session)
    if not (isinstance(session, str) and isinstance(locale, str) and isinstance(query, str)):
        return None
    if not 0 < len(session) <= LONGEST_SESSION or not is_locale(locale) or time.year < FIRST_YEAR:
        return None
    return QueryEvent(time=time, session=session, locale=locale, query=query)


def words(typed: str) -> str | None:
    """The normalised query if it can be the words of a person, with two letters at least; else
    None."""
    text = usable_query(typed)
    if text is None or len(_LETTER.findall(text)) < 2:
        return None
    return text


def opened(data: bytes) -> BufferedIOBase:
    """The bytes of a log object as a stream, unpacked on the way if they are gzip'd."""
    stream = BytesIO(data)
    return gzip.GzipFile(fileobj=stream) if data.startswith(b"\x1f\x8b") else stream


def _checked(found: Iterable[bytes]) -> Iterator[bytes | None]:
    for line in found:
        if len(line) > LONGEST_LINE:
            yield None
        elif line and not line.isspace():
            yield line


def _block(stream: BufferedIOBase) -> bytes | None:
    """The next bytes, b"" at the end, None if the stream is broken from here on."""
    try:
        return stream.read(BLOCK)
    except (EOFError, OSError, zlib.error):
        return None
