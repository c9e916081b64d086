"""How documents are built: versions, tables of objects, updates, page trees, syntax."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from PIL import Image, ImageDraw

from tests.documents.by_hand import (
    A4,
    FONT,
    Leaf,
    document,
    leaves,
    literal,
    numbered,
    objects_of,
    packed,
    says,
    sheet,
    stream,
)
from tests.documents.case import QUARTERS, Case, Sheet, drawn, texts
from tests.documents.made import pdf, text
from tests.documents.written import cross_references, hybrid, linearised, object_streams, updated
from tests.pictures.case import quarters as four_colors

ONE, TWO, THREE = "Size chart", "Wash at 30 °C", "Tumble dry never"
LINES = (ONE, TWO, THREE)


def three() -> list[bytes]:
    """Objects of a document of three pages: 3, 5 and 7, with their contents behind each."""
    return objects_of(*leaves(*LINES))


def read(name: str, data: bytes, *lines: str) -> Case:
    return Case(name=name, data=data, sheets=texts(*(lines or LINES)))


def versions() -> Iterator[Case]:
    """Every version of the format, and marks of it that are a little wrong."""
    for version in ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "2.0"):
        header = b"%%PDF-%b\n" % version.encode()
        yield read(f"versions/{version}", document(three(), header))
    headers = {
        "binary-comment": b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n",
        "carriage-return": b"%PDF-1.4\r",
        "both-line-ends": b"%PDF-1.4\r\n",
        "unknown-version": b"%PDF-3.7\n",
        "no-version": b"%PDF-\n",
        "comma": b"%PDF-1,4\n",
        "words-behind": b"%PDF-1.4 made by a till\n",
    }
    for name, header in headers.items():
        yield read(f"versions/{name}", document(three(), header))
    newer = objects_of(*leaves(*LINES), catalog=b"/Version/1.7")
    yield read("versions/newer-in-the-catalog", document(newer, b"%PDF-1.3\n"))


def tables() -> Iterator[Case]:
    """The places of objects as table, as stream, in both; objects packed into streams."""
    yield read("tables/stream", cross_references(three()))
    yield read("tables/stream-predicted", cross_references(three(), predicted=True))
    yield read("tables/objects-in-a-stream", object_streams(three()))
    yield read("tables/objects-in-a-stream-predicted", object_streams(three(), predicted=True))
    yield read("tables/both-kinds", hybrid(three()))
    yield read("tables/linearised", linearised(three()))
    yield read("tables/linearised-one-page", linearised(three()[:4] + [b"null"] * 4), ONE)
    data = document(three())
    yield read("tables/carriage-returns", data.replace(b" n \n", b" n\r\n"))
    yield read("tables/newline-at-the-end", data + b"\n")
    yield read("tables/zeros-at-the-end", data + bytes(600))
    yield read("tables/words-at-the-end", data + b"\nsent by mail\n" * 9)
    parts = data.replace(b"xref\n0 9\n", b"xref\n0 3\n", 1)
    cut = parts.index(b"xref\n0 3\n") + len(b"xref\n0 3\n") + 3 * 20
    yield read("tables/in-two-parts", parts[:cut] + b"3 6\n" + parts[cut:])
    yield read("tables/information", document(three(), trailer=b"/Info<</Title(Care)>>"))
    yield read("tables/ids", document(three(), trailer=b"/ID[<00><01>]"))


def updates() -> Iterator[Case]:
    """Documents that were changed by what is written behind them."""
    base = document(three())
    page = b"<</Type/Page/Parent 2 0 R/Contents %d 0 R/Resources<<%b>>%b>>"
    new = {4: stream(b"", says("New chart"))}
    yield read("updates/a-page-changed", updated(base, new), "New chart", TWO, THREE)
    twice = updated(updated(base, new), {4: stream(b"", says("Newest chart"))})
    yield read("updates/changed-twice", twice, "Newest chart", TWO, THREE)
    many = base
    for number in range(20):
        many = updated(many, {4: stream(b"", says(f"Chart {number}"))})
    yield read("updates/changed-twenty-times", many, "Chart 19", TWO, THREE)
    kids = b"<</Type/Pages/Kids[%b]/Count %d>>"
    fewer = updated(base, {2: kids % (b"3 0 R 7 0 R", 2)})
    yield read("updates/a-page-deleted", fewer, ONE, THREE)
    order = updated(base, {2: kids % (b"7 0 R 5 0 R 3 0 R", 3)})
    yield read("updates/the-order-changed", order, THREE, TWO, ONE)
    added = {
        2: kids % (b"3 0 R 5 0 R 7 0 R 9 0 R", 4),
        9: page % (10, FONT, A4),
        10: stream(b"", says("Returns")),
    }
    yield read("updates/a-page-added", updated(base, added), *LINES, "Returns")
    returns = updated(base, new, newline=b"\r\n")
    yield read("updates/another-line-end", returns, "New chart", TWO, THREE)
    cropped = {3: page % (4, FONT, b"/MediaBox[0 600 400 800]")}
    yield Case(
        name="updates/a-page-cropped",
        data=updated(base, cropped),
        sheets=(Sheet(size=drawn(400, 200), text=ONE), *texts(*LINES)[1:]),
    )


def trees() -> Iterator[Case]:
    """Pages in trees of every form, which hand down what they have."""

    def grown(kids: Sequence[bytes], inner: Sequence[bytes]) -> bytes:
        objects = three()
        objects[1] = b"<</Type/Pages/Kids[%b]/Count 3>>" % b" ".join(kids)
        return document([*objects, *inner])

    branch = b"<</Type/Pages/Parent 2 0 R/Kids[%b]/Count %d>>"
    yield read("trees/two-levels", grown([b"9 0 R", b"7 0 R"], [branch % (b"3 0 R 5 0 R", 2)]))
    empty = [b"3 0 R", b"9 0 R", b"5 0 R", b"7 0 R"]
    yield read("trees/an-empty-branch", grown(empty, [branch % (b"", 0)]))
    single = [branch % (b"3 0 R", 1), branch % (b"5 0 R", 1), branch % (b"7 0 R", 1)]
    yield read("trees/a-branch-per-page", grown([b"9 0 R", b"10 0 R", b"11 0 R"], single))
    chain = [branch % (b"%d 0 R" % number, 3) for number in range(10, 39)]
    chain.append(branch % (b"3 0 R 5 0 R 7 0 R", 3))
    yield read("trees/thirty-levels", grown([b"9 0 R"], chain))
    twice = objects_of(*leaves(ONE))
    twice[1] = b"<</Type/Pages/Kids[3 0 R 3 0 R]/Count 2>>"
    yield read("trees/a-page-twice", document(twice), ONE, ONE)
    inherited = objects_of(Leaf(content=says(ONE), resources=b"", entries=b""))
    inherited[1] = inherited[1][:-2] + b"/Resources<<%b>>%b>>" % (FONT, A4)
    inherited[2] = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>"
    yield read("trees/what-pages-inherit", document(inherited), ONE)
    indirect = three()
    indirect[1] = b"<</Type/Pages/Kids 9 0 R/Count 10 0 R>>"
    kids = [b"[3 0 R 5 0 R 7 0 R]", b"3"]
    yield read("trees/indirect", document([*indirect, *kids]))
    many = [f"Page {number}" for number in range(40)]
    yield read("trees/forty-pages", document(objects_of(*leaves(*many))), *many)


def contents() -> Iterator[Case]:
    """Content in several streams, shared, compressed, or with odd syntax."""

    def spread(*parts: bytes) -> bytes:
        objects = objects_of(Leaf(content=parts[0]), more=[stream(b"", part) for part in parts[1:]])
        numbers = [4, *range(5, 4 + len(parts))]
        array = b" ".join(b"%d 0 R" % number for number in numbers)
        objects[2] = objects[2].replace(b"/Contents 4 0 R", b"/Contents[%b]" % array)
        return document(objects)

    yield read("contents/two-streams", spread(b"BT /F 24 Tf 72 700 Td", b"(Size chart) Tj ET"), ONE)
    yield read(
        "contents/cut-within-an-array",
        spread(b"BT /F 24 Tf 72 700 Td [", b"(Size chart)]TJ ET"),
        ONE,
    )
    yield read("contents/an-empty-one", spread(b"", says(ONE), b""), ONE)
    line = b"BT /F 24 Tf 72 700 Td %b ET"
    strings = {
        "octal": rb"(\123ize chart) Tj",
        "hexadecimal": b"<53697A65 20 63\n68617274> Tj",
        "half-a-digit": b"<53697A652063686172742> Tj",
        "parentheses": rb"(\(Size\) (chart)) Tj",
        "line-continued": b"(Size\\\n chart) Tj",
        "quote": b"0 Tw (Size chart) '",
        "double-quote": b'0 0 (Size chart) "',
        "unknown-operator": b"BX 1 2 blah EX (Size chart) Tj",
        "comment": b"% no (Size) Tj\n(Size chart) Tj",
        "numbers-of-every-form": b"+.0 -.0 Td 00.0 Tc (Size chart) Tj",
        "marked": b"/P <</MCID 0>> BDC (Size chart) Tj EMC",
        "nulls-between": b"\x00(Size chart)\x00Tj",
    }
    for name, operators in strings.items():
        expected = {"parentheses": "(Size) (chart)", "half-a-digit": "Size chart"}.get(name, ONE)
        yield read(f"contents/{name}", sheet(line % operators), expected)
    named = sheet(says(ONE).replace(b"/F ", b"/#46#20a "), FONT.replace(b"/F<", b"/F#20a<"))
    yield read("contents/names-with-numbers", named, ONE)
    objects = objects_of(Leaf(content=says(ONE)))
    objects[3] = packed(says(ONE))
    yield read("contents/compressed", document(objects), ONE)
    objects[3] = packed(says(ONE)).replace(b"/FlateDecode", b"/Fl")
    yield read("contents/short-name-of-filter", document(objects), ONE)
    hexed = says(ONE).hex().encode() + b">"
    objects[3] = stream(b"/Filter[/ASCIIHexDecode]", hexed)
    yield read("contents/filters-in-a-list", document(objects), ONE)
    length = len(says(ONE))
    objects[3] = b"<</Length 5 0 R>>stream\n%b\nendstream" % says(ONE)
    yield read("contents/length-behind", document([*objects, b"%d" % length]), ONE)
    objects[3] = b"<</Length %d>>stream\r\n%b\r\nendstream" % (length, says(ONE))
    yield read("contents/line-ends-of-two", document(objects), ONE)
    shared = three()
    shared[4] = shared[4].replace(b"/Contents 6 0 R", b"/Contents 4 0 R")
    yield read("contents/shared", document(shared), ONE, ONE, THREE)
    form = stream(b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<<%b>>" % FONT, says(ONE))
    drawn_form = sheet(b"/X Do", b"/XObject<</X 5 0 R>>", more=[form])
    yield read("contents/a-form", drawn_form, ONE)


def generations() -> Iterator[Case]:
    """Objects whose numbers were used before, are far apart, or are not used at all."""
    objects = three()
    data = document(objects).replace(b"4 0 obj", b"4 3 obj").replace(b"4 0 R", b"4 3 R")
    place = data.index(b"4 3 obj")
    table = data.replace(b"%010d 00000 n" % place, b"%010d 00003 n" % place)
    yield read("generations/used-before", table)
    far = document(objects_of(*leaves(ONE)))
    more = {
        2: b"<</Type/Pages/Kids[3 0 R 90000 0 R]/Count 2>>",
        90000: b"<</Type/Page/Parent 2 0 R/Contents 90001 0 R/Resources<<%b>>%b>>" % (FONT, A4),
        90001: stream(b"", says(TWO)),
    }
    yield read("generations/numbers-far-apart", updated(far, more), ONE, TWO)
    unused = document([*objects, *[b"<</Unused true>>"] * 500])
    yield read("generations/much-unused", unused)
    upside_down = b"%PDF-1.7\n"
    places = {}
    for number in range(len(objects), 0, -1):
        places[number] = len(upside_down)
        upside_down += numbered(number, objects[number - 1])
    rows = b"".join(b"%010d 00000 n \n" % places[number] for number in sorted(places))
    tail = b"xref\n0 9\n0000000000 65535 f \n%btrailer\n<</Size 9/Root 1 0 R>>\n" % rows
    end = b"startxref\n%d\n%%%%EOF" % len(upside_down)
    yield read("generations/last-object-first", upside_down + tail + end)


def producers() -> Iterator[Case]:
    """As libraries write them."""
    pages = [text(line) for line in LINES]
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "compressed": {"deflate": True},
        "collected": {"garbage": 4, "clean": True},
        "object-streams": {"use_objstms": 1, "deflate": True},
        "readable": {"pretty": True, "ascii": True, "expand": 255},
        "fonts-packed": {"deflate_fonts": True, "deflate_images": True},
        "no-new-id": {"no_new_id": True},
    }
    for name, each in options.items():
        yield read(f"producers/{name}", pdf(*pages, **each))
    for name, mode in {"rgb": "RGB", "grey": "L", "palette": "P", "two": "1"}.items():
        yield _of_pictures(name, mode)
    yield read("producers/a-till", _till(), "RECEIPT 0042", "TOTAL 12.50")


def _of_pictures(name: str, mode: str) -> Case:
    """Pages that are pictures, as Pillow writes them."""
    picture = four_colors((400, 600)) if mode in ("RGB", "P") else Image.new("L", (400, 600), 255)
    if mode in ("L", "1"):
        ImageDraw.Draw(picture).rectangle((0, 0, 400, 300), fill=0)
    picture = picture.convert(mode)
    out = io.BytesIO()
    picture.save(out, "PDF", save_all=True, append_images=[picture], resolution=72)
    black, white = (0, 0, 0), (255, 255, 255)
    halves = ((0.5, 0.2, black), (0.5, 0.8, white))
    spots = QUARTERS if mode in ("RGB", "P") else halves
    sheets = [Sheet(number=number, size=drawn(400, 600), spots=spots, text="") for number in (1, 2)]
    return Case(name=f"producers/pictures-{name}", data=out.getvalue(), sheets=tuple(sheets))


def _till() -> bytes:
    """Two pages with nothing that is not needed, and many short strings, as printers make them."""

    def letters(line: str) -> bytes:
        places = range(0, 14 * len(line), 14)
        shown: Callable[[str], bytes] = literal
        parts = [
            b"1 0 0 1 %d 700 Tm %b Tj" % (72 + at, shown(each))
            for at, each in zip(places, line, strict=True)
        ]
        return b"BT /F 24 Tf " + b"\n".join(parts) + b" ET"

    courier = FONT.replace(b"Helvetica", b"Courier")
    pages = [
        Leaf(content=letters(line), resources=courier) for line in ("RECEIPT 0042", "TOTAL 12.50")
    ]
    return document(objects_of(*pages), b"%PDF-1.1\n")
