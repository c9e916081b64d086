"""PDFs written by hand, object by object, as no library would write them."""

import zlib
from collections.abc import Sequence
from pathlib import Path

from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.ports.media import Content
from mmsearch_core.records.segment import Decoded, Whole
from mmsearch_core.settings import Decode

MEGABYTE = 1024**2


def document(objects: Sequence[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    data, places = b"%PDF-1.7\n", []
    for number, inner in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, inner)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % size
    tail = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(data))
    return data + head + table + tail


def stream(entries: bytes, data: bytes) -> bytes:
    """An object that holds data."""
    return b"<<%b/Length %d>>stream\n%b\nendstream" % (entries, len(data), data)


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


def nested(depth: int, times: int) -> bytes:
    """A page with a form that draws a form several times, and so on: few bytes, much to draw."""
    forms = []
    head = b"/Type/XObject/Subtype/Form/BBox[0 0 600 900]"
    for number in range(6, 5 + depth):
        inner = b"%b/Resources<</XObject<</N %d 0 R>>>>" % (head, number)
        forms.append(stream(inner, b"/N Do " * times))
    forms.append(stream(head, b"0 0 100 100 re f"))
    return page(stream(b"", b"/N Do"), b"/XObject<</N 5 0 R>>", forms)


def drawing_itself() -> bytes:
    """A page with a form that draws itself."""
    inner = b"/Type/XObject/Subtype/Form/BBox[0 0 600 900]/Resources<</XObject<</N 5 0 R>>>>"
    return page(stream(b"", b"/N Do"), b"/XObject<</N 5 0 R>>", [stream(inner, b"/N Do")])


def packed(piece: bytes, times: int) -> bytes:
    """A compressed stream's data: the piece, many times."""
    packer = zlib.compressobj(1)
    parts = [packer.compress(piece) for _ in range(times)]
    return b"".join(parts) + packer.flush()


def picture(side: int) -> bytes:
    """A page with a black picture of ``side`` times ``side`` pixels."""
    entries = b"/Type/XObject/Subtype/Image/ColorSpace/DeviceRGB/BitsPerComponent 8"
    size = b"/Width %d/Height %d/Filter/FlateDecode" % (side, side)
    image = stream(entries + size, packed(bytes(side * 3), side))
    return page(stream(b"", b"500 0 0 500 0 0 cm /I Do"), b"/XObject<</I 5 0 R>>", [image])


def one_long_word(megabytes: int) -> bytes:
    """A page that says one word, so long that it may not fit into memory."""
    packer = zlib.compressobj(1)
    parts = [packer.compress(b"(")]
    parts += [packer.compress(b"a" * MEGABYTE) for _ in range(megabytes)]
    parts += [packer.compress(b") Tj"), packer.flush()]
    return page(stream(b"/Filter/FlateDecode", b"".join(parts)))


SQUARE = stream(b"", b"0 0 100 100 re f")


def threads(content: Content, settings: Decode) -> list[Decoded]:
    """An opener that says how many threads its process has after the document was opened."""
    open_document(content, settings)
    count = sum(1 for _ in Path("/proc/self/task").iterdir())
    return [Decoded(where=Whole(), jpeg=b"", text=str(count))]
