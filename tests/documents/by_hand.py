"""PDFs written by hand, object by object, as no library would write them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from tests.documents.case import BLUE, GREEN, RED, YELLOW, Color

HEADER = b"%PDF-1.7\n"
A4 = b"/MediaBox[0 0 595 842]"
HELVETICA = b"/Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding"
FONT = b"/Font<</F<<%b>>>>" % HELVETICA


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A page: what it draws, what that names, and the entries of its dictionary."""

    content: bytes = b""
    resources: bytes = FONT
    entries: bytes = A4


def document(objects: Sequence[bytes], header: bytes = HEADER, trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    data, places = header, []
    for number, inner in enumerate(objects, start=1):
        places.append(len(data))
        data += numbered(number, inner)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % size
    entries = b"/Size %d/Root 1 0 R%b" % (size, trailer)
    tail = b"trailer\n<<%b>>\nstartxref\n%d\n%%%%EOF" % (entries, len(data))
    return data + head + table + tail


def numbered(number: int, inner: bytes) -> bytes:
    return b"%d 0 obj\n%b\nendobj\n" % (number, inner)


def stream(entries: bytes, data: bytes) -> bytes:
    """An object that holds data."""
    return b"<<%b/Length %d>>stream\n%b\nendstream" % (entries, len(data), data)


def packed(data: bytes, entries: bytes = b"") -> bytes:
    """An object that holds data compressed."""
    return stream(entries + b"/Filter/FlateDecode", zlib.compress(data))


def objects_of(*leaves: Leaf, catalog: bytes = b"", more: Sequence[bytes] = ()) -> list[bytes]:
    """Objects of a document: the catalog, the page tree, of each page its dictionary and its
    content, and ``more``; those of a document of one page are numbered from 5."""
    numbers = range(3, 3 + 2 * len(leaves), 2)
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R%b>>" % catalog,
        b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, len(leaves)),
    ]
    for number, leaf in zip(numbers, leaves, strict=True):
        contents = b"/Contents %d 0 R/Resources<<%b>>" % (number + 1, leaf.resources)
        objects.append(b"<</Type/Page/Parent 2 0 R%b%b>>" % (contents, leaf.entries))
        objects.append(stream(b"", leaf.content))
    return [*objects, *more]


def leaves(*lines: str) -> list[Leaf]:
    """Pages that say this, a line each."""
    return [Leaf(content=says(line)) for line in lines]


def page(
    content: bytes, resources: bytes = b"", more: Sequence[bytes] = (), box: bytes = b"0 0 595 842"
) -> bytes:
    """A document of one page; ``more`` are objects from 5 on, which its resources name."""
    return document(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[%b]/Contents 4 0 R/Resources<<%b>>>>"
            % (box, resources),
            content,
            *more,
        ]
    )


def sheet(
    content: bytes, resources: bytes = FONT, entries: bytes = A4, more: Sequence[bytes] = ()
) -> bytes:
    """A document of one page that draws this."""
    return document(
        objects_of(Leaf(content=content, resources=resources, entries=entries), more=more)
    )


def tree(kids: bytes, count: int) -> bytes:
    """A document whose page tree says this of itself; its object 3 is a page with a square."""
    return document(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, count),
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
            SQUARE,
        ]
    )


def literal(text: str, encoding: str = "cp1252") -> bytes:
    """A string of PDF's syntax."""
    return b"<%b>" % text.encode(encoding).hex().encode()


def says(text: str, x: float = 72, y: float = 700, size: float = 24) -> bytes:
    """Operators that write a line in the font F."""
    return b"BT /F %g Tf %g %g Td %b Tj ET\n" % (size, x, y, literal(text))


def fill(color: Color, x: float, y: float, width: float, height: float) -> bytes:
    """Operators that fill a rectangle, whose lower left corner is at ``x`` and ``y``."""
    red, green, blue = (part / 255 for part in color)
    return b"%.3f %.3f %.3f rg %g %g %g %g re f 0 g\n" % (red, green, blue, x, y, width, height)


def quarters(width: float, height: float, x: float = 0, y: float = 0) -> bytes:
    """Operators that fill an area: red, green, blue and yellow, clockwise from the upper left."""
    half, middle = width / 2, height / 2
    return (
        fill(RED, x, y + middle, half, middle)
        + fill(GREEN, x + half, y + middle, half, middle)
        + fill(BLUE, x + half, y, half, middle)
        + fill(YELLOW, x, y, half, middle)
    )


SQUARE = stream(b"", b"0 0 100 100 re f")
