"""What a page says, in the order and in the letters in which people read and type it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from tests.documents.by_hand import Leaf, document, literal, objects_of, says, sheet
from tests.documents.case import Case, Sheet, texts
from tests.documents.cases.fonts import composite, font, of_system, to_unicode
from tests.documents.made import pdf
from tests.documents.test_page_text import written as as_html

TWICE = "a line that is printed twice, to look bold, is read twice"


def line(words: str, x: float, y: float, size: float = 12) -> bytes:
    return says(words, x, y, size)


def columns() -> Iterator[Case]:
    """Columns are read one after the other, whatever the order in which they were written."""
    left = [line(f"left {row}", 60, 700 - 14 * row) for row in range(4)]
    right = [line(f"right {row}", 330, 700 - 14 * row) for row in range(4)]
    both = "left 0 left 1 left 2 left 3\nright 0 right 1 right 2 right 3"
    yield Case(name="columns/two", data=sheet(b"".join(left + right)), sheets=texts(both))
    three = [line(f"third {row}", 460, 700 - 14 * row) for row in range(4)]
    middle = [line(f"right {row}", 260, 700 - 14 * row) for row in range(4)]
    data = sheet(b"".join(left + middle + three))
    all_three = f"{both}\nthird 0 third 1 third 2 third 3"
    yield Case(name="columns/three", data=data, sheets=texts(all_three))
    title = line("Care of wool", 60, 760, 20)
    headed = sheet(title + b"".join(left + right))
    yield Case(name="columns/headed", data=headed, sheets=texts(f"Care of wool\n{both}"))
    paired = [part for pair in zip(left, right, strict=True) for part in pair]
    yield Case(
        name="columns/written-by-rows",
        data=sheet(b"".join(paired)),
        sheets=texts(both),
        differs="pages are read in the order in which they were written, and this one was written"
        " across its columns",
    )


def lines() -> Iterator[Case]:
    """Lines of a paragraph become one; paragraphs stay apart; words stay whole."""
    wrapped = line("Wash at thirty degrees with", 72, 700) + line("like colors only", 72, 686)
    yield Case(
        name="lines/wrapped",
        data=sheet(wrapped),
        sheets=texts("Wash at thirty degrees with like colors only"),
    )
    apart = line("Wash cold", 72, 700) + line("Dry flat", 72, 640)
    yield Case(name="lines/paragraphs", data=sheet(apart), sheets=texts("Wash cold\nDry flat"))
    operators = {
        "kerned": (b"[(S)20(i)-15(ze c)30(hart)]TJ", "Size chart"),
        "gaps-as-spaces": (b"[(Size)-400(chart)]TJ", "Size chart"),
        "letters-far-apart": (b"2 Tc (Size chart) Tj", "Size chart"),
        "words-far-apart": (b"30 Tw (Size chart) Tj", "Size chart"),
        "narrow": (b"50 Tz (Size chart) Tj", "Size chart"),
        "raised": (b"(12 m) Tj 8 Ts (2) Tj", "12 m2"),
        "next-line": (b"14 TL (Size) Tj T* (chart) Tj", "Size chart"),
        "spaces-doubled": (b"(Size   chart  ) Tj", "Size chart"),
        "hard-space": (b"<53697a65a06368617274> Tj", "Size chart"),
        "dots": (b"(Size ........ 42) Tj", "Size ........ 42"),
        "slanted": (b"1 0 .3 1 72 600 Tm (Size chart) Tj", "Size chart"),
        "upwards": (b"0 1 -1 0 300 200 Tm (Size chart) Tj", "Size chart"),
        "downwards": (b"0 -1 1 0 300 700 Tm (Size chart) Tj", "Size chart"),
        "upside-down": (b"-1 0 0 -1 300 400 Tm (Size chart) Tj", "Size chart"),
        "outlined": (b"1 Tr (Size chart) Tj", "Size chart"),
        "filled-and-outlined": (b"2 Tr (Size chart) Tj", "Size chart"),
        "letters-twice": (b"(S) Tj 1 0 0 1 72.4 700 Tm (S) Tj (ize) Tj", "Size"),
        "bold-by-printing-twice": (
            b"(Size chart) Tj 1 0 0 1 72.3 700 Tm (Size chart) Tj",
            "Size chart",
        ),
        "huge": (b"/F 150 Tf (Size) Tj", "Size"),
        "tiny": (b"/F 2 Tf (Size chart) Tj", "Size chart"),
    }
    for name, (shown, words) in operators.items():
        data = sheet(b"BT /F 24 Tf 1 0 0 1 72 700 Tm %b ET" % shown)
        differs = TWICE if name == "bold-by-printing-twice" else ""
        yield Case(name=f"lines/{name}", data=data, sheets=texts(words), differs=differs)


def hyphens() -> Iterator[Case]:
    """Words that are divided at the ends of lines."""
    two = b"BT /F 24 Tf 72 700 Td 28 TL %b Tj T* %b Tj ET"
    soft = written_by_table(["Use a wash\u00ad", "ing machine"])
    yield Case(name="hyphens/soft", data=soft, sheets=(Sheet(text="Use a washing machine"),))
    hard = sheet(two % (literal("Use a wash-"), literal("ing machine")))
    yield Case(
        name="hyphens/hard",
        data=hard,
        sheets=texts("Use a washing machine"),
        differs="a hyphen at the end of a line may be one of the word's own, as in ready-made",
    )
    own = sheet(two % (literal("Made of ready-"), literal("made parts")))
    yield Case(name="hyphens/own", data=own, sheets=texts("Made of ready-made parts"))
    range_ = sheet(two % (literal("Of 30-"), literal("40 g")))
    yield Case(name="hyphens/between-numbers", data=range_, sheets=texts("Of 30-40 g"))
    kept = sheet(says("A T-shirt of 30-40 g"))
    yield Case(name="hyphens/of-the-word", data=kept, sheets=texts("A T-shirt of 30-40 g"))
    dash = sheet(two % (literal("Wash cold –"), literal("dry flat")))
    yield Case(name="hyphens/a-dash", data=dash, sheets=texts("Wash cold – dry flat"))
    chinese = font(composite(b"UniGB-UTF16-H", of_system(b"GB1", b"STSong-Light")))
    shown = [literal(part, "utf-16-be") for part in ("连衣裙尺码表腰", "围七十厘米")]
    data = sheet(two % tuple(shown), chinese)
    yield Case(name="hyphens/chinese-lines", data=data, sheets=texts("连衣裙尺码表腰围七十厘米"))


def letters() -> Iterator[Case]:
    """Accents, joined letters and shapes of letters become what people type."""
    said = {
        "composed": ("Crème brûlée", "Crème brûlée"),
        "decomposed": ("Cre\u0300me bru\u0302le\u0301e", "Crème brûlée"),
        "vietnamese": ("Vie\u0323\u0302t", "Việt"),
        "hangul-by-parts": ("\u1112\u1161\u11ab", "한"),
        "ligatures": ("\ufb01t o\ufb03ce \ufb02at", "fit office flat"),
        "full-width": ("ＬＵＭＥＮ　１２", "ＬＵＭＥＮ １２"),
        "quotes": ("“it’s” – 5′", "“it’s” – 5′"),
        "mathematics": ("½ × 2 ≤ 3 m²", "½ × 2 ≤ 3 m²"),
        "emoji": ("Size 👗 chart", "Size 👗 chart"),
        "russian": ("Таблица размеров", "Таблица размеров"),
        "greek": ("Πίνακας μεγεθών", "Πίνακας μεγεθών"),
        "hindi": ("आकार", "आकार"),
        "thai": ("ขนาด", "ขนาด"),
        "soft-hyphen": ("wash\u00ading machine", "washing machine"),
        "zero-width": ("Si\u200bze\u2060 chart\ufeff", "Size chart"),
        "controls": ("Si\x01ze\x7f chart", "Size chart"),
    }
    for name, (spoken, typed) in said.items():
        yield Case(name=f"letters/{name}", data=spelled(spoken), sheets=(Sheet(text=typed),))
    apart = b"BT /F 24 Tf 72 700 Td [(caf) (e) 556 <b4>] TJ ET"
    yield Case(
        name="letters/accent-of-its-own",
        data=sheet(apart),
        sheets=texts("café"),
        differs="an accent that is a letter of its own is not put onto the letter that it is above",
    )


def spelled(words: str, *, above: bytes = b"") -> bytes:
    """A page that says these letters in this order, one code each, as the table of its font tells.

    :param above: operators before it.
    """
    return written_by_table([words], above=above)


def written_by_table(lines: Sequence[str], *, above: bytes = b"") -> bytes:
    """A page of lines; what stands above or below its letter takes no room of its own."""
    codes: dict[str, str] = {}
    for letter in "".join(lines):
        codes.setdefault(letter, f"{len(codes) + 1:04X}")
    pairs = [(code, letter) for letter, code in codes.items()]
    marks = [letter for letter in codes if unicodedata.combining(letter)]
    widths = " ".join(f"{int(codes[mark], 16)} [0]" for mark in marks).encode()
    descendant = (
        b"/Type/Font/Subtype/CIDFontType2/BaseFont/Own/DW 600/W[%b]/FontDescriptor 6 0 R"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    ) % widths
    descriptor = (
        b"<</Type/FontDescriptor/FontName/Own/Flags 4/FontBBox[0 -200 1000 900]"
        b"/ItalicAngle 0/Ascent 900/Descent -200/CapHeight 800/StemV 80>>"
    )
    shown = b""
    for line in lines:
        shown += b"<%b> Tj T* " % "".join(codes[letter] for letter in line).encode()
    content = above + b"BT /F 24 Tf 28 TL 72 700 Td %b ET" % shown
    glyphs = font(composite(b"Identity-H", descendant) + b"/ToUnicode 5 0 R")
    return sheet(content, glyphs, more=[to_unicode(pairs), descriptor])


def from_right_to_left() -> Iterator[Case]:
    """Arabic and Hebrew, in the order in which they are read. Programs write them as they stand
    on paper, from the left."""
    said = {
        "hebrew": "שלום עולם",
        "hebrew-long": "טבלת מידות של שמלה",
        "arabic": "قميص أزرق",
        "arabic-long": "جدول مقاسات الفستان",
        "persian": "جدول اندازه",
        "urdu": "نیلا لباس",
    }
    for name, words in said.items():
        on_paper = words[::-1]
        data = spelled(on_paper)
        yield Case(name=f"rtl/{name}", data=data, sheets=(Sheet(text=words),))
    shaped = "\ufee3\ufeae\ufea3\ufe92\ufe8e"[::-1]
    data = spelled(shaped)
    yield Case(name="rtl/shapes-of-letters", data=data, sheets=(Sheet(text="مرحبا"),))
    joined = "\ufeb3\ufefc\ufee1"[::-1]
    data = spelled(joined)
    yield Case(name="rtl/lam-with-alef", data=data, sheets=(Sheet(text="سلام"),))
    for name, words in {"hebrew": "שלום עולם", "arabic": "قميص أزرق", "persian": "جدول"}.items():
        data = pdf(as_html(f'<p dir="rtl" style="font-size:24px">{words}</p>'))
        yield Case(name=f"rtl/program-{name}", data=data, sheets=texts(words))
    mixed = pdf(as_html('<p dir="rtl" style="font-size:24px">מידה 42 בלבד</p>'))
    yield Case(name="rtl/with-a-number", data=mixed, sheets=texts("מידה 42 בלבד"))
    pages = pdf(as_html("<p>Size</p>"), as_html('<p dir="rtl">מידה</p>'))
    yield Case(name="rtl/a-page-of-each", data=pages, sheets=texts("Size", "מידה"))


def html() -> Iterator[Case]:
    """What is laid out by a program."""
    said = {
        "paragraphs": ("<p>Wash cold</p><p>Dry flat</p>", "Wash cold\nDry flat"),
        "bold-within": ("<p>Wash <b>cold</b> only</p>", "Wash cold only"),
        "chinese": ("<p>连衣裙尺码表</p>", "连衣裙尺码表"),
        "both-languages": ("<p>尺码 Size chart 腰围</p>", "尺码 Size chart 腰围"),
        "accents": ("<p>Größe, taille, tamaño</p>", "Größe, taille, tamaño"),
        "russian": ("<p>Стирать при 30 °C</p>", "Стирать при 30 °C"),
    }
    for name, (body, words) in said.items():
        yield Case(name=f"html/{name}", data=pdf(as_html(body)), sheets=texts(words))


def unseen() -> Iterator[Case]:
    """What is written where nobody sees it is not what the page says."""
    seen = says("Size chart")
    beyond = sheet(seen + says("Beyond", 900, 700))
    yield Case(name="unseen/beyond-the-edge", data=beyond, sheets=texts("Size chart"))
    covered = sheet(seen + b"q 0 0 1 1 re W n\n" + says("Clipped", 72, 500) + b"Q")
    yield Case(name="unseen/clipped", data=covered, sheets=texts("Size chart"))
    empty = sheet(b"BT /F 24 Tf 72 700 Td () Tj [] TJ ET" + b"0 0 200 200 re f")
    yield Case(name="unseen/no-letters", data=empty, sheets=(Sheet(text="", inked=True),))
    spaces = document(objects_of(Leaf(content=says("   ")), Leaf(content=seen)))
    second = Sheet(number=2, text="Size chart", inked=True)
    yield Case(name="unseen/spaces-alone", data=spaces, sheets=(second,))
