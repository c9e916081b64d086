"""Documents that were cut off or damaged, or are none."""

from __future__ import annotations

import gzip
import io
import random
import re
import zipfile
from collections.abc import Iterator

from PIL import Image

from tests.documents.by_hand import (
    A4,
    FONT,
    Leaf,
    document,
    leaves,
    objects_of,
    packed,
    says,
    sheet,
    stream,
    tree,
)
from tests.documents.case import BROKEN, DAMAGED, OTHER, Case, Sheet, texts
from tests.documents.made import pdf, text
from tests.documents.written import cross_references, linearised, object_streams, updated
from tests.pictures.case import quarters as four_colors
from tests.pictures.case import saved

LINES = ("Size chart", "Wash at 30 °C", "Tumble dry never")
PERCENT = (2, 10, 25, 40, 50, 60, 75, 90, 97)
NOISES = 12
CATALOG = "the library looks for no other catalog where the one that is named is none"
ENDLESS = "where the end of a stream is missing, the library does not ask how long it is"
UNDONE = {"kids-no-list": "no library takes a single page for a list of pages"}


def three() -> list[bytes]:
    """Objects of three pages whose contents are compressed, so that half of one says nothing."""
    objects = objects_of(*leaves(*LINES))
    for place, line in zip((3, 5, 7), LINES, strict=True):
        objects[place] = packed(says(line))
    return objects


def kinds() -> dict[str, bytes]:
    """The same three pages, as different producers write them."""
    return {
        "table": document(three()),
        "stream": cross_references(three()),
        "objects-in-a-stream": object_streams(three()),
        "linearised": linearised(three()),
        "program": pdf(*[text(line) for line in LINES]),
    }


def cut() -> Iterator[Case]:
    """Uploads that broke off: whatever pages are still there are as they were."""
    sheets = tuple(Sheet(number=number, text=line) for number, line in enumerate(LINES, start=1))
    for name, data in kinds().items():
        for percent in PERCENT:
            part = data[: len(data) * percent // 100]
            pages = whole(part) if name in ("table", "stream", "linearised") else frozenset()
            yield Case(
                name=f"cut/{percent:02}-{name}",
                data=part,
                sheets=sheets,
                fails=BROKEN,
                either=True,
                surely=pages,
            )


def whole(part: bytes) -> frozenset[int]:
    """The numbers of the pages of which all is there: catalog, tree, page and content."""
    there = set()
    for found in re.finditer(rb"(\d+) 0 obj\n.*?\nendobj", part, re.DOTALL):
        there.add(int(found[1]))
    pages = range(1, len(LINES) + 1)
    return frozenset(page for page in pages if {1, 2, 2 * page + 1, 2 * page + 2} <= there)


def ends() -> Iterator[Case]:
    """Only the end is not there: viewers find all pages by looking through the file."""
    for name, data in kinds().items():
        parts = {"mark": data[: data.rindex(b"%%EOF")], "place": data[: data.rindex(b"startxref")]}
        if name in ("table", "program"):
            parts["table"] = data[: data.rindex(b"xref\n0 ")]
        for what, part in parts.items():
            yield Case(name=f"ends/no-{what}-{name}", data=part, sheets=texts(*LINES))


def tables() -> Iterator[Case]:
    """Tables that lie: viewers find all pages by looking through the file."""
    data = document(three())
    start = int(data[data.rindex(b"startxref") :].split()[1])
    place = b"startxref\n%d" % start

    def shifted(by: int) -> bytes:
        def moved(found: re.Match[bytes]) -> bytes:
            return b"%010d 00000 n" % max(int(found[1]) + by, 0)

        return re.sub(rb"(\d{10}) 00000 n", moved, data)

    changes = {
        "places-one-more": shifted(1),
        "places-seven-less": shifted(-7),
        "places-beyond-the-end": shifted(10**8),
        "all-nought": shifted(-(10**9)),
        "start-nought": data.replace(place, b"startxref\n0"),
        "start-beyond": data.replace(place, b"startxref\n99999999"),
        "start-negative": data.replace(place, b"startxref\n-5"),
        "start-of-thirty-digits": data.replace(place, b"startxref\n" + b"9" * 30),
        "start-a-word": data.replace(place, b"startxref\nsoon"),
        "start-ten-off": data.replace(place, b"startxref\n%d" % (start - 10)),
        "no-word-xref": data.replace(b"xref\n0 ", b"xxxx\n0 ", 1),
        "no-trailer": data.replace(b"trailer", b"tr"),
        "all-free": data.replace(b" n \n", b" f \n"),
        "size-too-small": data.replace(b"/Size 9", b"/Size 2"),
        "size-too-large": data.replace(b"/Size 9", b"/Size 99999"),
        "size-negative": data.replace(b"/Size 9", b"/Size -9"),
        "no-size": data.replace(b"/Size 9", b""),
        "previous-itself": data.replace(b"/Size 9", b"/Size 9/Prev %d" % start),
        "previous-nowhere": data.replace(b"/Size 9", b"/Size 9/Prev 77777"),
        "previous-a-name": data.replace(b"/Size 9", b"/Size 9/Prev/X"),
        "no-root": data.replace(b"/Root 1 0 R", b""),
        "root-not-there": data.replace(b"/Root 1 0 R", b"/Root 88 0 R"),
        "root-a-page": data.replace(b"/Root 1 0 R", b"/Root 3 0 R"),
        "starts-at-one": data.replace(b"xref\n0 9", b"xref\n1 9"),
        "too-few-rows": data.replace(b"xref\n0 9", b"xref\n0 4"),
        "too-many-rows": data.replace(b"xref\n0 9", b"xref\n0 90"),
        "rows-of-nineteen": data.replace(b" n \n", b" n\n"),
        "letters-in-rows": data.replace(b"00000 n", b"0000x n"),
    }
    for name, changed in changes.items():
        assert changed != data or name == "places-one-more"
        differs = CATALOG if name == "root-a-page" else ""
        sheets = texts(*LINES)
        yield Case(name=f"tables-wrong/{name}", data=changed, sheets=sheets, differs=differs)
    streamed = cross_references(three())
    wrong = {
        "widths": streamed.replace(b"/W[1 4 2]", b"/W[9 9 9]"),
        "no-widths": streamed.replace(b"/W[1 4 2]", b""),
        "widths-negative": streamed.replace(b"/W[1 4 2]", b"/W[1 -4 2]"),
        "not-packed": streamed.replace(
            b"/W[1 4 2]/Root 1 0 R/Filter/FlateDecode", b"/W[1 4 2]/Root 1 0 R"
        ),
        "index-negative": streamed.replace(b"/W[1 4 2]", b"/W[1 4 2]/Index[-5 10]"),
        "index-huge": streamed.replace(b"/W[1 4 2]", b"/W[1 4 2]/Index[0 2147483647]"),
    }
    for name, changed in wrong.items():
        yield Case(name=f"tables-wrong/stream-{name}", data=changed, sheets=texts(*LINES))
    many = updated(document(objects_of(*leaves(*LINES))), {4: stream(b"", says("New"))})
    loop = re.sub(rb"/Prev \d+", b"/Prev %d" % many.rindex(b"xref\n4 1"), many)
    yield Case(name="tables-wrong/loop-of-updates", data=loop, sheets=texts("New", *LINES[1:]))


def objects() -> Iterator[Case]:
    """Objects without ends, or of lengths that lie."""
    pages = leaves(*LINES)
    data = document(objects_of(*pages))
    length = re.compile(rb"/Length \d+")
    changes = {
        "no-endobj": data.replace(b"\nendobj", b""),
        "endobj-misspelt": data.replace(b"endobj", b"endob"),
        "no-endstream": document([each.replace(b"endstream", b"") for each in objects_of(*pages)]),
        "length-nought": length.sub(b"/Length 0", data),
        "length-too-large": length.sub(b"/Length 99999", data),
        "length-too-small": length.sub(b"/Length 5", data),
        "length-negative": length.sub(b"/Length -5", data),
        "no-length": length.sub(b"", data),
        "length-of-itself": length.sub(b"/Length 4 0 R", data),
        "length-a-name": length.sub(b"/Length/Long", data),
        "carriage-return-alone": data.replace(b"stream\nBT", b"stream\rBT"),
        "types-missing": data.replace(b"/Type/Page/", b"/").replace(b"/Type/Pages", b""),
        "numbers-twice": data.replace(b"%PDF-1.7\n", b"%PDF-1.7\n4 0 obj\n(old)\nendobj\n"),
        "null-bytes-between": data.replace(b"endobj\n", b"endobj\n\x00\x00\x00"),
    }
    for name, changed in changes.items():
        assert changed != data
        differs = ENDLESS if name == "no-endstream" else ""
        yield Case(name=f"objects/{name}", data=changed, sheets=texts(*LINES), differs=differs)


def heads() -> Iterator[Case]:
    """What stands before the mark of PDF, as mail and web servers leave it, or instead of it."""
    data = document(three())
    before = {
        "a-line-end": b"\n",
        "byte-order-mark": b"\xef\xbb\xbf",
        "header-of-http": b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n",
        "header-of-mail": b"Content-Transfer-Encoding: binary\n\n",
        "zeros": bytes(512),
        "noise": random.Random(3).randbytes(900),
        "as-much-as-may-be": b"x" * 1_019,
        "print-job": b"\x1b%-12345X@PJL ENTER LANGUAGE=PDF\r\n",
    }
    for name, junk in before.items():
        yield Case(name=f"heads/{name}", data=junk + data, sheets=texts(*LINES))
    wrong = {
        "too-much-before": b"x" * 1_100 + data,
        "other-mark": data.replace(b"%PDF-", b"%PDX-"),
        "small-letters": data.replace(b"%PDF-", b"%pdf-"),
        "no-mark": data[9:],
        "utf-16": data.decode("latin-1").encode("utf-16"),
    }
    for name, changed in wrong.items():
        yield Case(name=f"heads/{name}", data=changed, fails=OTHER, says="no PDF")


def others() -> Iterator[Case]:
    """Files that are no PDF, whatever they are called."""
    picture = four_colors((64, 48))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("word/document.xml"), "<w:document/>")
    frames = io.BytesIO()
    picture.save(frames, "GIF", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    page = document(three())
    files = {
        "nothing": b"",
        "one-byte": b"%",
        "half-the-mark": b"%PD",
        "zeros": bytes(5_000),
        "text": b"Size chart\nWash at 30\n",
        "html": b"<!DOCTYPE html><html><body>404 not found</body></html>",
        "error-of-a-server": b'{"error": "access denied"}',
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect/></svg>",
        "rtf": rb"{\rtf1\ansi Size chart}",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage\n",
        "word": archive.getvalue(),
        "old-word": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000),
        "png": saved(picture, "PNG"),
        "jpeg": saved(picture, "JPEG"),
        "tiff": saved(picture, "TIFF"),
        "webp": saved(picture, "WEBP"),
        "bmp": saved(picture, "BMP"),
        "gif": frames.getvalue(),
        "packed-pdf": gzip.compress(page, mtime=0),
        "pdf-in-letters": page.hex().encode(),
        "djvu": b"AT&TFORM\x00\x00\x00\x10DJVUINFO" + bytes(20),
        "program": b"\x7fELF\x02\x01\x01" + bytes(300),
    }
    for name, data in files.items():
        yield Case(name=f"others/{name}", data=data, fails=OTHER, says="no PDF.*export it as PDF")
    empty = {
        "mark-alone": b"%PDF-1.7",
        "mark-and-end": b"%PDF-1.7\n%%EOF",
        "mark-and-zeros": b"%PDF-1.7\n" + bytes(5_000),
        "mark-and-noise": b"%PDF-1.7\n" + random.Random(4).randbytes(5_000),
        "mark-and-words": b"%PDF-1.7\n" + b"Size chart " * 500,
        "mark-and-a-picture": b"%PDF-1.7\n" + saved(picture, "PNG"),
    }
    for name, data in empty.items():
        yield Case(name=f"others/{name}", data=data, fails=DAMAGED, says="export it again")


def trees() -> Iterator[Case]:
    """Trees of pages that lie or make no sense."""
    one = (Sheet(inked=True),)
    for count in (0, 2, 3, 77, -1, -9, 2_000_000_000):
        yield Case(
            name=f"trees-wrong/one-counted-as-{count}",
            data=tree(b"3 0 R", count),
            sheets=one,
        )
    lies = {
        "no-count": tree(b"3 0 R", 1).replace(b"/Count 1", b""),
        "count-a-name": tree(b"3 0 R", 1).replace(b"/Count 1", b"/Count/X"),
        "count-a-fraction": tree(b"3 0 R", 1).replace(b"/Count 1", b"/Count 1.0"),
        "a-kid-not-there": tree(b"3 0 R 99 0 R", 2),
        "a-kid-null": tree(b"3 0 R null", 2),
        "a-kid-a-number": tree(b"3 0 R 7", 2),
        "a-kid-the-catalog": tree(b"3 0 R 1 0 R", 2),
        "a-kid-its-content": tree(b"3 0 R 4 0 R", 2),
        "a-kid-the-tree-itself": tree(b"3 0 R 2 0 R", 2),
        "wrong-parent": tree(b"3 0 R", 1).replace(b"/Parent 2 0 R", b"/Parent 4 0 R"),
        "no-parent": tree(b"3 0 R", 1).replace(b"/Parent 2 0 R", b""),
        "kids-no-list": tree(b"3 0 R", 1).replace(b"/Kids[3 0 R]", b"/Kids 3 0 R"),
        "the-page-is-the-tree": tree(b"3 0 R", 1).replace(b"/Pages 2 0 R", b"/Pages 3 0 R"),
    }
    for name, data in lies.items():
        differs = UNDONE.get(name, "")
        yield Case(name=f"trees-wrong/{name}", data=data, sheets=one, differs=differs)
    none = {
        "no-kids": tree(b"", 0),
        "no-kids-counted-as-5": tree(b"", 5),
        "itself-alone": tree(b"2 0 R", 1),
        "itself-counted-as-10": tree(b"2 0 R", 10),
        "a-circle-of-two": document(
            [
                b"<</Type/Catalog/Pages 2 0 R>>",
                b"<</Type/Pages/Kids[3 0 R]/Count 3>>",
                b"<</Type/Pages/Kids[2 0 R]/Parent 2 0 R/Count 3>>",
            ]
        ),
        "no-tree": document([b"<</Type/Catalog>>"]),
        "a-tree-that-is-null": document([b"<</Type/Catalog/Pages null>>"]),
        "a-tree-that-is-a-list": document([b"<</Type/Catalog/Pages[1 2 3]>>"]),
        "a-catalog-that-is-a-list": document([b"[1 2 3]"]),
        "a-catalog-that-is-itself": document([b"1 0 R"]),
    }
    for name, data in none.items():
        yield Case(name=f"trees-wrong/{name}", data=data, fails=DAMAGED, says="export it again")


def contents() -> Iterator[Case]:
    """Pages whose content makes no sense, before pages that are sound."""
    broken = {
        "not-there": b"null",
        "a-number": b"7",
        "a-dictionary": b"<</Contents 4 0 R>>",
        "itself": b"4 0 R",
        "a-list-of-itself": b"[4 0 R 4 0 R]",
        "not-packed": stream(b"/Filter/FlateDecode", b"not packed"),
        "unknown-filter": stream(b"/Filter/Unheard", says("Size chart")),
        "ninety-filters": stream(b"/Filter[%b]" % (b"/ASCIIHexDecode " * 90), b"00>"),
        "parentheses-open": stream(b"", b"BT /F 24 Tf (never closed"),
        "operands-missing": stream(b"", b"re f Tj Td cm Do gs sh scn"),
        "operands-of-other-kinds": stream(b"", b"(a) (b) (c) (d) re f [1] 2 Td /X Tj << >> cm"),
        "states-not-saved": stream(b"", b"Q Q Q Q ET ET EMC EMC"),
        "noise": stream(b"", random.Random(5).randbytes(3_000).replace(b"re", b"")),
    }
    for name, content in broken.items():
        objects = objects_of(Leaf(), Leaf(content=says("Manual")))
        objects[3] = content
        second = Sheet(number=2, text="Manual", inked=True)
        # viewers may show something of these, or nothing
        unsure = name in ("noise", "unknown-filter")
        pages = (Sheet(number=1), second) if unsure else (second,)
        data = document(objects)
        yield Case(name=f"contents-wrong/{name}", data=data, sheets=pages, either=unsure)
    after = {
        "a-bad-operator": b"1 2 3 zzz " + says("Manual"),
        "a-bad-picture": b"/None Do " + says("Manual"),
        "a-bad-state": b"/None gs " + says("Manual"),
        "a-closing-bracket": b"] ] >> ) " + says("Manual"),
        "too-many-numbers": b"1 " * 500 + b"w " + says("Manual"),
    }
    for name, content in after.items():
        yield Case(name=f"contents-wrong/{name}", data=sheet(content), sheets=texts("Manual"))


def blanks() -> Iterator[Case]:
    """Pages on which nothing is seen are left out; the others keep their numbers."""
    nothing = Leaf()
    white = Leaf(content=b"1 g 0 0 595 842 re f")
    colored = Leaf(content=b"0 0 1 rg 0 0 400 400 re f", entries=b"/MediaBox[0 0 400 400]")
    no_content = Leaf(content=b"q Q", entries=A4)
    said = Leaf(content=says("Manual"))
    scan = Leaf(content=b"0 g 100 100 300 300 re f", resources=FONT)
    mixtures = {
        "first": [nothing, said],
        "last": [said, nothing],
        "between": [said, white, said],
        "all-but-one": [nothing, white, no_content, said, nothing],
        "every-other": [nothing, said, nothing, said, nothing, said],
        "of-one-color": [colored, said],
        "scans-and-words": [scan, nothing, said, scan],
    }
    for name, mixture in mixtures.items():
        sheets = []
        for number, leaf in enumerate(mixture, start=1):
            if leaf in (said, scan):
                words = "Manual" if leaf is said else ""
                sheets.append(Sheet(number=number, text=words, inked=True))
        data = document(objects_of(*mixture))
        yield Case(name=f"blanks/{name}", data=data, sheets=tuple(sheets))
    for name, leaf in {"nothing": nothing, "white": white, "colored": colored}.items():
        for count in (1, 3):
            data = document(objects_of(*[leaf] * count))
            yield Case(name=f"blanks/{count}-{name}", data=data, fails=DAMAGED, says="blank")


def noises() -> Iterator[Case]:
    """Bytes that were changed on the way: some pages, or a reason."""
    pages = tuple(Sheet(number=number) for number in range(1, 4))
    for name, data in kinds().items():
        for seed in range(NOISES):
            rng = random.Random(seed)
            changed = bytearray(data)
            for _ in range(1 + seed // 3):
                changed[rng.randrange(8, len(data))] = rng.randrange(256)
            yield Case(
                name=f"noises/{seed:02}-{name}",
                data=bytes(changed),
                sheets=pages,
                fails=BROKEN,
                either=True,
            )
