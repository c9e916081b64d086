"""PDFs written by hand that swell, never end or draw themselves."""

import zlib
from pathlib import Path

from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.ports.media import Content
from mmsearch_core.records.segment import Decoded, Whole
from mmsearch_core.settings import Decode
from tests.documents.by_hand import page, stream

MEGABYTE = 1024**2


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


def repeated(piece: bytes, times: int) -> bytes:
    """A compressed stream's data: the piece, many times."""
    packer = zlib.compressobj(1)
    parts = [packer.compress(piece) for _ in range(times)]
    return b"".join(parts) + packer.flush()


def picture(side: int) -> bytes:
    """A page with a black picture of ``side`` times ``side`` pixels."""
    entries = b"/Type/XObject/Subtype/Image/ColorSpace/DeviceRGB/BitsPerComponent 8"
    size = b"/Width %d/Height %d/Filter/FlateDecode" % (side, side)
    image = stream(entries + size, repeated(bytes(side * 3), side))
    return page(stream(b"", b"500 0 0 500 0 0 cm /I Do"), b"/XObject<</I 5 0 R>>", [image])


def one_long_word(megabytes: int) -> bytes:
    """A page that says one word, so long that it may not fit into memory."""
    packer = zlib.compressobj(1)
    parts = [packer.compress(b"(")]
    parts += [packer.compress(b"a" * MEGABYTE) for _ in range(megabytes)]
    parts += [packer.compress(b") Tj"), packer.flush()]
    return page(stream(b"/Filter/FlateDecode", b"".join(parts)))


def threads(content: Content, settings: Decode) -> list[Decoded]:
    """An opener that says how many threads its process has after the document was opened."""
    open_document(content, settings)
    count = sum(1 for _ in Path("/proc/self/task").iterdir())
    return [Decoded(where=Whole(), jpeg=b"", text=str(count))]
