"""What is written in every sort of font, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PIL import ImageFont

from tests.documents.by_hand import literal, packed, says, sheet, stream
from tests.documents.case import Case, Sheet, texts
from tests.documents.made import pdf, text

WORDS = "Size chart 42"
BASE = (
    "Helvetica",
    "Helvetica-Bold",
    "Helvetica-Oblique",
    "Helvetica-BoldOblique",
    "Times-Roman",
    "Times-Bold",
    "Times-Italic",
    "Times-BoldItalic",
    "Courier",
    "Courier-Bold",
    "Courier-Oblique",
    "Courier-BoldOblique",
)
ABSENT = ("ArialMT", "TimesNewRomanPS-BoldMT", "ABCDEF+Calibri", "Lumen-Sans", "Comic#20Sans#20MS")


def font(entries: bytes) -> bytes:
    """Resources in which this is the font F."""
    return b"/Font<</F<<%b>>>>" % entries


def written(shown: bytes, resources: bytes, more: Sequence[bytes] = ()) -> bytes:
    """A page that shows this string in the font F."""
    return sheet(b"BT /F 24 Tf 72 700 Td %b Tj ET" % shown, resources, more=more)


def base() -> Iterator[Case]:
    """The fonts that every viewer has, and fonts that are not embedded and that nobody has."""
    for name in (*BASE, *ABSENT):
        entries = b"/Type/Font/Subtype/%b/BaseFont/%b/Encoding/WinAnsiEncoding"
        kind = b"Type1" if name in BASE else b"TrueType"
        data = written(literal(WORDS), font(entries % (kind, name.encode())))
        yield Case(name=f"base/{name}", data=data, sheets=texts(WORDS))
    symbol = written(b"(abg)", font(b"/Type/Font/Subtype/Type1/BaseFont/Symbol"))
    yield Case(name="base/symbol", data=symbol, sheets=texts("αβγ"))
    ticks = written(b"(\x33)", font(b"/Type/Font/Subtype/Type1/BaseFont/ZapfDingbats"))
    yield Case(
        name="base/dingbats",
        data=ticks,
        sheets=texts("✓"),
        differs="the library does not know which letters the signs of ZapfDingbats are",
    )


def encodings() -> Iterator[Case]:
    """Letters by the tables that fonts have for them."""
    head = b"/Type/Font/Subtype/Type1/BaseFont/Helvetica"
    differences = (
        b"/Encoding<</BaseEncoding/WinAnsiEncoding/Differences[1/S/i/z/e 65/eacute/Euro]>>"
    )
    tables = {
        "windows": (b"/Encoding/WinAnsiEncoding", "Größe 40 € – “café”".encode("cp1252")),
        "macintosh": (b"/Encoding/MacRomanEncoding", "Größe 40 é".encode("mac_roman")),
        "standard": (b"/Encoding/StandardEncoding", b"Plain (text)"),
        "none": (b"", b"Plain text"),
        "differences": (differences, b"\x01\x02\x03\x04 AB"),
        "ligature": (b"/Encoding<</Differences[1/fi 2/fl]>>", b"\x01rst \x02oor"),
        "by-code-point": (b"/Encoding<</Differences[1/uni0416/u0416]>>", b"\x01\x02"),
    }
    expected = {
        "windows": "Größe 40 € – “café”",
        "macintosh": "Größe 40 é",
        "standard": "Plain (text)",
        "none": "Plain text",
        "differences": "Size é€",
        "ligature": "first floor",
        "by-code-point": "ЖЖ",
    }
    for name, (encoding, shown) in tables.items():
        data = written(b"<%b>" % shown.hex().encode(), font(head + encoding))
        yield Case(name=f"encodings/{name}", data=data, sheets=texts(expected[name]))


def to_unicode(pairs: Sequence[tuple[str, str]], digits: int = 4) -> bytes:
    """A table of which codes (hexadecimal) stand for which letters."""
    rows = []
    for code, letters in pairs:
        rows.append(b"<%b> <%b>" % (code.encode(), letters.encode("utf-16-be").hex().encode()))
    span = b"<%b> <%b>" % (b"0" * digits, b"F" * digits)
    table = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n/CMapName /Own def\n"
        b"/CMapType 2 def\n1 begincodespacerange\n%b\nendcodespacerange\n%d beginbfchar\n%b\n"
        b"endbfchar\nendcmap end end"
    ) % (span, len(rows), b"\n".join(rows))
    return packed(table)


def composite(table: bytes, descendant: bytes) -> bytes:
    """A font of many letters: which code is which glyph, and the font that has the glyphs."""
    head = b"/Type/Font/Subtype/Type0/BaseFont/Own/Encoding/%b/DescendantFonts[<<%b>>]"
    return head % (table, descendant)


def of_system(ordering: bytes, name: bytes) -> bytes:
    """A font that is not embedded, of a set of letters that viewers know."""
    descriptor = (
        b"/FontDescriptor<</Type/FontDescriptor/FontName/%b/Flags 4/FontBBox[0 -200 1000 900]"
        b"/ItalicAngle 0/Ascent 900/Descent -200/CapHeight 800/StemV 80>>"
    ) % name
    system = b"/CIDSystemInfo<</Registry(Adobe)/Ordering(%b)/Supplement 2>>" % ordering
    return b"/Type/Font/Subtype/CIDFontType0/BaseFont/%b/DW 1000%b%b" % (name, system, descriptor)


def asian() -> Iterator[Case]:
    """Chinese, Japanese and Korean by tables of old and new, in fonts that are not embedded."""
    kinds = {
        "gb-unicode": (b"UniGB-UCS2-H", b"GB1", "连衣裙尺码表", "utf-16-be"),
        "gb-utf16": (b"UniGB-UTF16-H", b"GB1", "连衣裙尺码表", "utf-16-be"),
        "gbk": (b"GBK-EUC-H", b"GB1", "连衣裙尺码表", "gbk"),
        "gb2312": (b"GB-EUC-H", b"GB1", "连衣裙尺码表", "gb2312"),
        "taiwan-unicode": (b"UniCNS-UTF16-H", b"CNS1", "連衣裙尺碼表", "utf-16-be"),
        "big5": (b"ETen-B5-H", b"CNS1", "連衣裙尺碼表", "big5"),
        "japan-unicode": (b"UniJIS-UTF16-H", b"Japan1", "サイズ表と洗濯", "utf-16-be"),
        "shift-jis": (b"90ms-RKSJ-H", b"Japan1", "サイズ表と洗濯", "cp932"),
        "euc-japan": (b"EUC-H", b"Japan1", "サイズ表と洗濯", "euc_jp"),
        "korea-unicode": (b"UniKS-UTF16-H", b"Korea1", "치수표", "utf-16-be"),
        "euc-korea": (b"KSCms-UHC-H", b"Korea1", "치수표", "cp949"),
    }
    for name, (table, ordering, words, encoding) in kinds.items():
        shown = literal(words, encoding)
        data = written(shown, font(composite(table, of_system(ordering, b"STSong-Light"))))
        yield Case(name=f"asian/{name}", data=data, sheets=texts(words))
    upright = font(composite(b"UniGB-UTF16-V", of_system(b"GB1", b"STSong-Light")))
    data = written(literal("连衣裙尺码表", "utf-16-be"), upright)
    yield Case(name="asian/from-above-down", data=data, sheets=texts("连衣裙尺码表"))


def true_type(resources: bytes = b"") -> tuple[bytes, list[bytes]]:
    """A small font, embedded, of which object 5 is the file and 6 the descriptor."""
    face = ImageFont.load_default(24)
    assert isinstance(face, ImageFont.FreeTypeFont)
    file: bytes = face.font_bytes
    descriptor = (
        b"<</Type/FontDescriptor/FontName/ABCDEF+Own/Flags 32/FontBBox[-100 -200 1000 900]"
        b"/ItalicAngle 0/Ascent 900/Descent -200/CapHeight 700/StemV 80/FontFile2 5 0 R>>"
    )
    return file, [packed(file, b"/Length1 %d" % len(file)), descriptor]


def embedded() -> Iterator[Case]:
    """Fonts that come with the document: with letters, and with numbers of glyphs alone."""
    _, more = true_type()
    widths = b"/FirstChar 32/LastChar 126/Widths[%b]" % (b"550 " * 95)
    head = b"/Type/Font/Subtype/TrueType/BaseFont/ABCDEF+Own/FontDescriptor 6 0 R" + widths
    simple = written(b"(Size chart)", font(head + b"/Encoding/WinAnsiEncoding"), more)
    yield Case(name="embedded/true-type", data=simple, sheets=texts("Size chart"))
    table = to_unicode([("41", "W"), ("42", "ä"), ("43", "sche")], digits=2)
    said = written(b"(ABC)", font(head + b"/ToUnicode 7 0 R"), [*more, table])
    yield Case(name="embedded/own-letters", data=said, sheets=texts("Wäsche"))
    descendant = (
        b"/Type/Font/Subtype/CIDFontType2/BaseFont/ABCDEF+Own/FontDescriptor 6 0 R/DW 550"
        b"/CIDToGIDMap/Identity/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    )
    glyphs = composite(b"Identity-H", descendant)
    pairs = [("0010", "S"), ("0011", "ize"), ("0012", "\ufb01"), ("0013", "e\u0301")]
    shown = b"<0010001100120013>"
    known = written(shown, font(glyphs + b"/ToUnicode 7 0 R"), [*more, to_unicode(pairs)])
    yield Case(name="embedded/glyphs-with-letters", data=known, sheets=texts("Sizefié"))
    # which letters these are nobody can know but who looks at the page
    unknown = written(shown, font(glyphs), more)
    yield Case(name="embedded/glyphs-alone", data=unknown, sheets=(Sheet(text="", inked=True),))
    nothing = to_unicode([("0010", ""), ("0011", "\ue000"), ("0012", "\ufffd"), ("0013", "\x00")])
    private = written(shown, font(glyphs + b"/ToUnicode 7 0 R"), [*more, nothing])
    yield Case(name="embedded/private-letters", data=private, sheets=(Sheet(text="", inked=True),))
    broken = written(
        b"(Size chart)",
        font(head + b"/Encoding/WinAnsiEncoding"),
        [packed(b"no font at all" * 9), more[1]],
    )
    yield Case(name="embedded/broken-file", data=broken, sheets=texts("Size chart"))
    for name, words in {"china-s": "连衣裙", "japan": "サイズ", "korea": "치수"}.items():
        data = pdf(text(words, fontname=name, fontsize=24))
        yield Case(name=f"embedded/{name}", data=data, sheets=texts(words))


def drawn_letters() -> Iterator[Case]:
    """Letters that are drawings in the document itself."""
    glyph = stream(b"", b"600 0 0 0 500 700 d1 0 0 500 700 re f")
    head = (
        b"/Type/Font/Subtype/Type3/FontBBox[0 0 600 700]/FontMatrix[.001 0 0 .001 0 0]"
        b"/CharProcs<</a 5 0 R/b 5 0 R>>/Encoding<</Differences[97/a/b]>>/FirstChar 97/LastChar 98"
        b"/Widths[600 600]/Resources<<>>"
    )
    plain = written(b"(ab)", font(head), [glyph])
    yield Case(name="drawn-letters/named", data=plain, sheets=texts("ab"))
    table = to_unicode([("61", "尺"), ("62", "码")], digits=2)
    told = written(b"(ab)", font(head + b"/ToUnicode 6 0 R"), [glyph, table])
    yield Case(name="drawn-letters/told", data=told, sheets=texts("尺码"))
    itself = stream(b"", b"600 0 0 0 500 700 d1 BT /F 1 Tf (a) Tj ET 0 0 500 700 re f")
    inner = head.replace(b"/Resources<<>>", b"/Resources<</Font<</F 6 0 R>>>>")
    data = written(b"(ab)", b"/Font<</F 6 0 R>>", [itself, b"<<%b>>" % inner])
    yield Case(name="drawn-letters/of-themselves", data=data, sheets=texts("ab"))


def missing() -> Iterator[Case]:
    """A page that names a font which is not there, or is none: the text is shown all the same."""
    kinds = {"no-font": b"", "of-null": b"/Font<</F null>>", "of-no-kind": font(b"")}
    for name, resources in kinds.items():
        data = sheet(says(WORDS), resources)
        yield Case(name=f"missing/{name}", data=data, sheets=texts(WORDS))
    own = b"/Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/NoSuchEncoding"
    data = written(literal(WORDS), font(own))
    yield Case(name="missing/no-encoding", data=data, sheets=texts(WORDS))
    widths = b"/Type/Font/Subtype/Type1/BaseFont/Helvetica/FirstChar 0/LastChar 9/Widths[1 2]"
    narrow = written(literal(WORDS), font(widths))
    yield Case(name="missing/widths", data=narrow, sheets=texts(WORDS))
