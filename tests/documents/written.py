"""How the objects of a document are laid into a file, as different producers do it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise

from tests.documents.by_hand import HEADER, numbered, stream

FREE, PLAIN, PACKED = 0, 1, 2  # kinds of entries of a cross-reference stream
Entry = tuple[int, int, int]
UP = 12  # the predictor of PNG by which each row is the difference from the one above


def cross_references(objects: Sequence[bytes], *, predicted: bool = False) -> bytes:
    """A PDF whose table of objects is a stream."""
    data, entries = HEADER, [(FREE, 0, 65535)]
    for number, inner in enumerate(objects, start=1):
        entries.append((PLAIN, len(data), 0))
        data += numbered(number, inner)
    return data + _references(entries, len(data), predicted=predicted)


def object_streams(objects: Sequence[bytes], *, predicted: bool = False) -> bytes:
    """A PDF whose objects are packed into one stream, but for those that hold data."""
    data, entries = HEADER, [(FREE, 0, 65535)]
    container, heads, bodies = len(objects) + 1, b"", b""
    index = 0
    for number, inner in enumerate(objects, start=1):
        if inner.endswith(b"endstream"):
            entries.append((PLAIN, len(data), 0))
            data += numbered(number, inner)
            continue
        entries.append((PACKED, container, index))
        heads += b"%d %d " % (number, len(bodies))
        bodies += inner + b"\n"
        index += 1
    head = b"/Type/ObjStm/N %d/First %d/Filter/FlateDecode" % (index, len(heads))
    entries.append((PLAIN, len(data), 0))
    data += numbered(container, stream(head, zlib.compress(heads + bodies)))
    return data + _references(entries, len(data), predicted=predicted)


def hybrid(objects: Sequence[bytes]) -> bytes:
    """A PDF with a table for old readers, in which the pages from the second on are free, and a
    stream for new ones, which has them; a word processor writes it so."""
    data, entries = HEADER, [(FREE, 0, 65535)]
    for number, inner in enumerate(objects, start=1):
        entries.append((PLAIN, len(data), 0))
        data += numbered(number, inner)
    streamed, size = len(data), len(entries) + 1
    references = _references(entries, streamed, predicted=False)
    data += references[: references.rindex(b"startxref")]
    old = len(data)
    rows = b"".join(_row(place) for _, place, _ in entries[1:5])
    free = b"0000000000 65535 f \n"
    data += b"xref\n0 %d\n%b%b%b" % (size - 1, free, rows, free * (size - 6))
    data += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, old)
    new = len(data)
    trailer = b"<</Size %d/Root 1 0 R/Prev %d/XRefStm %d>>" % (size, old, streamed)
    return data + b"xref\n0 0\ntrailer\n%b\nstartxref\n%d\n%%%%EOF" % (trailer, new)


def _references(entries: Sequence[Entry], place: int, *, predicted: bool) -> bytes:
    """The stream with the places of all objects, at ``place``, and the end of the file."""
    rows = [bytes([kind]) + a.to_bytes(4) + b.to_bytes(2) for kind, a, b in entries]
    rows.append(bytes([PLAIN]) + place.to_bytes(4) + bytes(2))
    number = len(entries)
    head = b"/Type/XRef/Size %d/W[1 4 2]/Root 1 0 R/Filter/FlateDecode" % (number + 1)
    if predicted:
        head += b"/DecodeParms<</Columns 7/Predictor %d>>" % UP
        rows = [b"\x02" + _difference(*pair) for pair in pairwise([bytes(7), *rows])]
    table = stream(head, zlib.compress(b"".join(rows)))
    return numbered(number, table) + b"startxref\n%d\n%%%%EOF" % place


def _difference(above: bytes, row: bytes) -> bytes:
    return bytes((b - a) % 256 for a, b in zip(above, row, strict=True))


def updated(data: bytes, changes: Mapping[int, bytes], *, newline: bytes = b"\n") -> bytes:
    """The PDF with objects that were changed or added, behind what it was."""
    before = [int(place) for place in re.findall(rb"startxref\s+(\d+)", data)][-1]
    sizes = [int(size) for size in re.findall(rb"/Size (\d+)", data)]
    size = max([*sizes, *[number + 1 for number in changes]])
    data += newline
    table = b""
    for number, inner in sorted(changes.items()):
        table += b"%d 1\n%010d 00000 n \n" % (number, len(data))
        data += numbered(number, inner)
    trailer = b"trailer\n<</Size %d/Root 1 0 R/Prev %d>>\n" % (size, before)
    return data + b"xref\n" + table + trailer + b"startxref\n%d\n%%%%EOF" % len(data)


def linearised(objects: Sequence[bytes]) -> bytes:
    """A PDF whose first page (objects 3 and 4) and catalog stand in front, for readers that get
    it byte by byte: it has two tables, the first of which names the second."""
    first, count = (1, 3, 4), len(objects)
    rest = [number for number in range(2, count + 1) if number not in first]
    own = count + 1
    # places are ten digits wide, so that a second round finds the first one's lengths
    places: dict[int, int] = dict.fromkeys(range(1, own + 1), 0)
    second = end_of_first = length = 0
    data = b""
    for _ in range(2):
        data = HEADER
        places[own] = len(data)
        hints = b"/H[0 0]/O 3/E %010d/N 1/T %010d" % (end_of_first, second)
        data += numbered(own, b"<</Linearized 1/L %010d%b>>" % (length, hints))
        table = len(data)
        data += b"xref\n1 1\n%b3 2\n%b%b" % tuple(_row(places[number]) for number in first)
        data += b"%d 1\n%b" % (own, _row(places[own]))
        data += b"trailer\n<</Size %d/Root 1 0 R/Prev %010d>>\n" % (own + 1, second)
        data += b"startxref\n0\n%%EOF\n"
        for number in first:
            places[number] = len(data)
            data += numbered(number, objects[number - 1])
        end_of_first = len(data)
        for number in rest:
            places[number] = len(data)
            data += numbered(number, objects[number - 1])
        second = len(data)
        data += b"xref\n0 1\n0000000000 65535 f \n"
        data += b"".join(b"%d 1\n%b" % (number, _row(places[number])) for number in rest)
        data += b"trailer\n<</Size %d>>\nstartxref\n%d\n%%%%EOF" % (own, table)
        length = len(data)
    return data


def _row(place: int) -> bytes:
    return b"%010d 00000 n \n" % place
