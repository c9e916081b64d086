"""Documents that swell, never end, or have more pages than are opened: each ends within the
limits."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace

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
from tests.documents.case import BROKEN, DAMAGED, LARGE, Case, Sheet, texts
from tests.documents.cases.fonts import composite, font, of_system, to_unicode
from tests.documents.hostile import drawing_itself, nested, picture, repeated
from tests.documents.written import cross_references, updated

MEGABYTE = 1024**2
MOST_PAGES = 500
SEEN = (Sheet(number=1), Sheet(number=2))


def ends(name: str, data: bytes) -> Case:
    """Whatever becomes of it, it becomes so within the limits."""
    return Case(name=name, data=data, sheets=SEEN, fails=BROKEN | LARGE, either=True)


def pages() -> Iterator[Case]:
    """As many pages as are opened, and more of them."""
    many = [f"Page {number}" for number in range(1, MOST_PAGES + 2)]
    more = document(objects_of(*leaves(*many)))
    says_so = r"501 pages are over decode\.most_pages \(500\)"
    yield Case(name="pages/501", data=more, fails=LARGE, says=says_so)
    objects = objects_of(Leaf(content=says("Page")))
    objects[1] = b"<</Type/Pages/Kids[%b]/Count 3000>>" % (b"3 0 R " * 3_000)
    yield Case(name="pages/one-3000-times", data=document(objects), fails=LARGE | DAMAGED)
    blank = document(objects_of(*[Leaf()] * 501))
    yield Case(name="pages/501-blank", data=blank, fails=LARGE, says=says_so)


def unpacking() -> Iterator[Case]:
    """A few bytes that become many."""
    zeros = zlib.compress(bytes(60 * MEGABYTE), 1)
    twice = stream(b"/Filter[/FlateDecode/FlateDecode]", zlib.compress(zeros, 9))
    yield ends(
        "unpacking/content-of-zeros", document(with_content(stream(b"/Filter/FlateDecode", zeros)))
    )
    yield ends("unpacking/packed-twice", document(with_content(twice)))
    spaces = repeated(b" " * MEGABYTE, 60)
    yield ends(
        "unpacking/content-of-spaces",
        document(with_content(stream(b"/Filter/FlateDecode", spaces))),
    )
    squares = repeated(b"0 0 1 1 re f\n" * 20_000, 20)
    yield ends(
        "unpacking/four-hundred-thousand-squares",
        document(with_content(stream(b"/Filter/FlateDecode", squares))),
    )
    path = b"0 0 m " + b"9 9 l 1 5 l " * 60_000 + b"f"
    yield ends("unpacking/a-path-of-many-points", document(with_content(packed(path))))
    yield ends("unpacking/a-picture-of-300-megabytes", picture(10_000))
    runs = stream(b"/Filter[/FlateDecode/RunLengthDecode]", repeated(b"\x81\x00" * 150_000, 1))
    yield ends("unpacking/runs", document(with_content(runs)))
    bits = (
        b"/Type/XObject/Subtype/Image/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/FlateDecode"
    )
    wide = stream(bits + b"/Width 100000/Height 100000", repeated(bytes(MEGABYTE), 100))
    yield ends("unpacking/ten-billion-pixels", drawn_image(wide))
    lies = {
        "no-pixels": b"/Width 2147483647/Height 2147483647",
        "negative": b"/Width -5/Height 5",
        "nought": b"/Width 0/Height 0",
        "one-row": b"/Width 2000000000/Height 1",
    }
    for name, size in lies.items():
        yield ends(
            f"unpacking/picture-{name}", drawn_image(stream(bits + size, zlib.compress(b"x")))
        )
    palette = stream(b"", bytes(100))
    space = b"/ColorSpace[/Indexed/DeviceRGB 2147483647 6 0 R]/BitsPerComponent 8"
    head = b"/Type/XObject/Subtype/Image/Width 9/Height 9"
    yield ends(
        "unpacking/a-palette-of-billions", drawn_image(stream(head + space, b"x" * 81), palette)
    )


def with_content(content: bytes) -> list[bytes]:
    """Objects of a document whose page has this content."""
    objects = objects_of(Leaf())
    objects[3] = content
    return objects


def drawn_image(image: bytes, *more: bytes) -> bytes:
    """A page that draws this picture."""
    content = b"q 500 0 0 500 0 0 cm /I Do Q " + says("Manual")
    return sheet(content, FONT + b"/XObject<</I 5 0 R>>", more=[image, *more])


def drawing() -> Iterator[Case]:
    """A few operators that draw for ever."""
    yield Case(
        name="drawing/ten-billion-squares",
        data=nested(11, 10),
        fails=LARGE,
        says=r"decode\.document_seconds",
    )
    yield Case(name="drawing/a-form-that-draws-itself", data=drawing_itself(), fails=BROKEN)
    tile = stream(
        b"/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep .001/YStep .001"
        b"/Resources<<>>",
        b"0 0 1 1 re f",
    )
    tiled = sheet(b"/Pattern cs /P scn 0 0 595 842 re f", b"/Pattern<</P 5 0 R>>", more=[tile])
    yield ends("drawing/tiles-of-a-thousandth", tiled)
    own = tile.replace(b"/Resources<<>>", b"/Resources<</Pattern<</P 5 0 R>>>>").replace(
        b"/Length 12>>stream\n0 0 1 1 re f",
        b"/Length 37>>stream\n/Pattern cs /P scn 0 0 1 1 re f       ",
    )
    pattern = sheet(b"/Pattern cs /P scn 0 0 595 842 re f", b"/Pattern<</P 5 0 R>>", more=[own])
    yield ends("drawing/a-pattern-of-itself", pattern)
    dashes = sheet(b"[.0001 .0001] 0 d 1 w 0 0 m 595 842 l S")
    yield ends("drawing/ten-million-dashes", dashes)
    miters = sheet(b"1e30 w 1 J 1 j 0 0 m 1e30 1e30 l S " + says("Manual"))
    yield ends("drawing/a-line-wider-than-the-world", miters)
    matrix = sheet(b"q 1e20 0 0 1e20 0 0 cm 0 0 1 1 re f Q " + says("Manual"))
    yield ends("drawing/a-matrix-beyond-numbers", matrix)
    letters = sheet(b"BT /F 1e9 Tf 0 0 Td (Manual) Tj ET")
    yield ends("drawing/letters-larger-than-the-world", letters)
    head = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Group<</S/Transparency>>"
    state = b"/ExtGState<</G<</SMask<</S/Luminosity/G 5 0 R>>>>>>"
    mask = stream(head + b"/Resources<<%b>>" % state, b"/G gs 0 0 300 300 re f")
    yield ends("drawing/a-mask-of-itself", sheet(b"/G gs 0 0 595 842 re f", state, more=[mask]))
    groups = [
        stream(head + b"/Resources<</XObject<</X %d 0 R>>>>" % number, b"/X Do")
        for number in range(6, 106)
    ]
    groups.append(stream(head, b"0 0 100 100 re f"))
    layers = sheet(b"/X Do", b"/XObject<</X 5 0 R>>", more=groups)
    yield ends("drawing/a-hundred-groups", layers)
    fade = b"/FunctionType 2/Domain[0 1]/C0[0]/C1[1]/N 1e9"
    shading = b"<</ShadingType 3/ColorSpace/DeviceGray/Coords[0 0 0 1e9 1e9 1e9]/Function<<%b>>>>"
    yield ends(
        "drawing/a-fade-beyond-numbers",
        sheet(b"/S sh", b"/Shading<</S 5 0 R>>", more=[shading % fade]),
    )
    sampled = stream(
        b"/FunctionType 0/Domain[0 1 0 1 0 1 0 1]/Range[0 1]/Size[999 999 999 999]"
        b"/BitsPerSample 32",
        b"x" * 99,
    )
    space = b"/ColorSpace<</S[/DeviceN[/A/B/C/D]/DeviceGray 5 0 R]>>"
    yield ends(
        "drawing/a-function-of-a-trillion",
        sheet(b"/S cs 1 1 1 1 scn 0 0 99 99 re f", space, more=[sampled]),
    )
    loop = b"<</FunctionType 3/Domain[0 1]/Functions[5 0 R]/Bounds[]/Encode[0 1]>>"
    spot = b"/ColorSpace<</S[/Separation/A/DeviceGray 5 0 R]>>"
    yield ends(
        "drawing/a-function-of-itself", sheet(b"/S cs 1 scn 0 0 99 99 re f", spot, more=[loop])
    )
    itself = b"/ColorSpace<</S 5 0 R>>"
    yield ends(
        "drawing/a-color-space-of-itself",
        sheet(b"/S cs 1 scn 0 0 9 9 re f", itself, more=[b"[/Indexed 5 0 R 1<0000>]"]),
    )


def saying() -> Iterator[Case]:
    """Text and fonts that swell."""
    spans = b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
    ranges = spans + b"100 beginbfrange\n" + b"<0000> <FFFF> <0041>\n" * 100 + b"endbfrange\n"
    descendant = of_system(b"Identity", b"Own")
    resources = font(composite(b"Identity-H", descendant) + b"/ToUnicode 5 0 R")
    shown = b"BT /F 24 Tf 72 700 Td <00010002> Tj ET"
    yield ends("saying/ranges-upon-ranges", sheet(shown, resources, more=[packed(ranges * 50)]))
    long = to_unicode([("0001", "a" * 250), ("0002", "b")])
    yield ends("saying/a-letter-that-says-much", sheet(shown * 500, resources, more=[long]))
    own = stream(b"/Type/CMap/CMapName/Own/UseCMap 5 0 R", spans)
    used = font(composite(b"5 0 R", descendant))
    yield ends("saying/a-table-of-itself", sheet(shown, used, more=[own]))
    widths = descendant.replace(b"/DW 1000", b"/DW 1000/W[0 2147483647 500 -9 [1 2 3]]")
    wide = font(composite(b"Identity-H", widths))
    yield ends("saying/widths-of-billions", sheet(shown, wide))
    inherits = b"/Font<</F<</Type/Font/Subtype/Type0/Encoding/Identity-H/DescendantFonts[5 0 R]>>>>"
    circle = b"<</Type/Font/Subtype/Type0/Encoding/Identity-H/DescendantFonts[5 0 R]>>"
    yield ends("saying/a-font-of-itself", sheet(shown, inherits, more=[circle]))
    many = b"".join(
        b"BT /F 1 Tf %d %d Td (word word word) Tj ET\n" % (n % 595, n % 842) for n in range(20_000)
    )
    yield ends("saying/twenty-thousand-lines", sheet(many))


def building() -> Iterator[Case]:
    """Structures that are deep, wide or circular."""
    deep = b"[" * 100_000 + b"]" * 100_000
    plain = Leaf(content=says("Manual"))
    yield ends(
        "building/a-hundred-thousand-lists", document(objects_of(plain, catalog=b"/X %b" % deep))
    )
    dictionaries = b"<</A" * 50_000
    yield ends(
        "building/dictionaries-in-each-other",
        document(objects_of(plain, catalog=b"/X %b" % dictionaries)),
    )
    chain = [b"%d 0 R" % number for number in range(6, 20_006)]
    chained = objects_of(
        replace(plain, entries=b"/MediaBox 5 0 R"), more=[*chain, b"[0 0 595 842]"]
    )
    yield ends("building/a-chain-of-references", document(chained))
    circle = objects_of(replace(plain, entries=b"/MediaBox 5 0 R"), more=[b"6 0 R", b"5 0 R"])
    yield Case(
        name="building/a-circle-of-references", data=document(circle), sheets=texts("Manual")
    )
    branch = b"<</Type/Pages/Parent %d 0 R/Kids[%d 0 R]/Count 1>>"
    levels = [branch % (number - 1, number + 1) for number in range(5, 5_000)]
    objects = objects_of(plain)
    objects[1] = b"<</Type/Pages/Kids[5 0 R]/Count 1>>"
    tower = [*objects, *levels, b"<</Type/Pages/Parent 4999 0 R/Kids[3 0 R]/Count 1>>"]
    yield ends("building/five-thousand-levels", document(tower))
    inherited = objects_of(replace(plain, entries=b""))
    inherited[1] = inherited[1][:-2] + b"/Parent 2 0 R>>"
    yield ends("building/its-own-parent", document(inherited))
    streamed = cross_references(objects_of(plain))
    yield ends("building/two-billion-objects", streamed.replace(b"/Size 6", b"/Size 2147483647"))
    numbers = updated(document(objects_of(plain)), {8_388_606: b"(far)"})
    yield ends("building/a-number-of-eight-million", numbers)
    container = stream(b"/Type/ObjStm/N 2147483647/First 10", b"5 0 6 9 ")
    yield ends(
        "building/a-stream-of-billions-of-objects", document([*objects_of(plain), container])
    )
    kids = b" ".join([b"2 0 R"] * 1_000)
    yield ends("building/itself-a-thousand-times", tree(kids, 1_000))
    notes = b"/Annots[%b]" % (b"<</Type/Annot/Subtype/Stamp/Rect[0 0 9 9]/F 4>>" * 3_000)
    yield ends("building/three-thousand-notes", sheet(says("Manual"), entries=A4 + notes))
    named = b"/Names<</EmbeddedFiles 5 0 R/Dests 5 0 R>>"
    circular = objects_of(plain, catalog=named, more=[b"<</Kids[5 0 R 5 0 R]>>"])
    yield Case(name="building/names-of-themselves", data=document(circular), sheets=texts("Manual"))
    comments = b"%PDF-1.7\n" + b"% a comment\n" * 200_000 + document(objects_of(plain))
    yield ends("building/two-hundred-thousand-comments", comments)
