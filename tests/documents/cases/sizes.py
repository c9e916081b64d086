"""How large a page is, and which part of it people see."""

from __future__ import annotations

from collections.abc import Iterator

from tests.documents.by_hand import FONT, Leaf, document, objects_of, quarters, says, sheet
from tests.documents.case import (
    BLUE,
    DAMAGED,
    GREEN,
    QUARTERS,
    RED,
    YELLOW,
    Case,
    Sheet,
    corners,
    drawn,
)

PAPERS = {
    "a0": (2384, 3370),
    "a2": (1191, 1684),
    "a3": (842, 1191),
    "a4": (595.276, 841.89),
    "a4-lying": (842, 595),
    "a5": (420, 595),
    "a6": (298, 420),
    "b5": (499, 709),
    "letter": (612, 792),
    "legal": (612, 1008),
    "tabloid": (792, 1224),
    "screen": (960, 540),
    "card": (252, 144),
    "square": (500, 500),
    "receipt": (226, 1400),
    "banner": (7200, 720),
    "stamp": (36, 36),
    "button": (20, 10),
    "dot": (3, 3),
    "largest": (14_400, 14_400),
    "beyond-the-largest": (20_000, 15_000),
    "stadium": (200_000, 100_000),
}


def seen(name: str, data: bytes, width: float, height: float) -> Case:
    """A page of four quarters, as large as that."""
    return Case(
        name=name, data=data, sheets=(Sheet(size=drawn(width, height), spots=QUARTERS, text=""),)
    )


def boxed(entries: bytes, width: float, height: float, x: float = 0, y: float = 0) -> bytes:
    """A page of these entries, with four quarters in the area given."""
    return sheet(quarters(width, height, x, y), entries=entries)


def papers() -> Iterator[Case]:
    for name, (width, height) in PAPERS.items():
        data = boxed(b"/MediaBox[0 0 %g %g]" % (width, height), width, height)
        yield seen(f"papers/{name}", data, width, height)


def units() -> Iterator[Case]:
    """Pages that are measured in other units than points are as large on the screen."""
    for unit in (b"1", b"2", b"10", b"0.5"):
        entries = b"/MediaBox[0 0 400 600]/UserUnit %b" % unit
        name = f"units/{unit.decode()}"
        yield seen(name, boxed(entries, 400, 600), 400 * float(unit), 600 * float(unit))


def media() -> Iterator[Case]:
    """Boxes that are written in every way that the format allows."""
    kinds = {
        "moved": (b"/MediaBox[100 200 500 800]", 100, 200),
        "negative": (b"/MediaBox[-200 -300 200 300]", -200, -300),
        "corners-swapped": (b"/MediaBox[400 600 0 0]", 0, 0),
        "left-and-right-swapped": (b"/MediaBox[400 0 0 600]", 0, 0),
        "fractions": (b"/MediaBox[.0 -.0 400.000 600.]", 0, 0),
        "spaces": (b"/MediaBox [ 0\n0\r\n400\t600 ]", 0, 0),
        "with-other-boxes": (
            b"/MediaBox[0 0 400 600]/TrimBox[50 50 350 550]/BleedBox[40 40 360 560]"
            b"/ArtBox[90 90 300 300]",
            0,
            0,
        ),
    }
    for name, (entries, x, y) in kinds.items():
        yield seen(f"media/{name}", boxed(entries, 400, 600, x, y), 400, 600)
    indirect = sheet(quarters(400, 600), entries=b"/MediaBox 5 0 R", more=[b"[0 0 400 600]"])
    yield seen("media/indirect", indirect, 400, 600)
    numbers = [b"400", b"600"]
    parts = sheet(quarters(400, 600), entries=b"/MediaBox[0 0 5 0 R 6 0 R]", more=numbers)
    yield seen("media/indirect-numbers", parts, 400, 600)
    inherited = objects_of(Leaf(content=quarters(400, 600), entries=b""))
    inherited[1] = inherited[1][:-2] + b"/MediaBox[0 0 400 600]>>"
    yield seen("media/inherited", document(inherited), 400, 600)
    overridden = objects_of(Leaf(content=quarters(400, 600), entries=b"/MediaBox[0 0 400 600]"))
    overridden[1] = overridden[1][:-2] + b"/MediaBox[0 0 100 100]>>"
    yield seen("media/overridden", document(overridden), 400, 600)
    # viewers take a page that does not say its size for one of the paper of the United States
    yield seen("media/missing", boxed(b"", 612, 792), 612, 792)


def crops() -> Iterator[Case]:
    """Only what is within the crop box is seen."""
    media_box = b"/MediaBox[0 0 600 800]"
    kinds = {
        "within": (b"/CropBox[100 100 500 700]", 400, 600, 100, 100),
        "as-large": (b"/CropBox[0 0 600 800]", 600, 800, 0, 0),
        "corners-swapped": (b"/CropBox[500 700 100 100]", 400, 600, 100, 100),
        "fractions": (b"/CropBox[100.5 100.5 500.5 700.5]", 400, 600, 100.5, 100.5),
        "larger": (b"/CropBox[-100 -100 700 900]", 600, 800, 0, 0),
        "over-one-edge": (b"/CropBox[300 0 900 800]", 300, 800, 300, 0),
        "with-a-trim-box": (b"/CropBox[100 100 500 700]/TrimBox[0 0 9 9]", 400, 600, 100, 100),
        "lying": (b"/CropBox[0 400 600 800]", 600, 400, 0, 400),
    }
    for name, (entries, width, height, x, y) in kinds.items():
        data = boxed(media_box + entries, width, height, x, y)
        yield seen(f"crops/{name}", data, width, height)
    inherited = objects_of(Leaf(content=quarters(400, 600, 100, 100), entries=media_box))
    inherited[1] = inherited[1][:-2] + b"/CropBox[100 100 500 700]>>"
    yield seen("crops/inherited", document(inherited), 400, 600)
    marks = quarters(600, 800) + says("Within", 320, 420) + says("Without", 320, 700)
    yield Case(
        name="crops/words-without",
        data=sheet(marks, entries=media_box + b"/CropBox[300 400 600 600]"),
        sheets=(Sheet(text="Within", size=drawn(300, 200), spots=corners(*[GREEN] * 4)),),
    )
    left = boxed(media_box + b"/CropBox[0 200 300 600]", 600, 800)
    spots = corners(RED, RED, YELLOW, YELLOW)
    yield Case(
        name="crops/middle-of-the-left",
        data=left,
        sheets=(Sheet(text="", size=drawn(300, 400), spots=spots),),
    )


def thin() -> Iterator[Case]:
    """Pages so thin that nothing is seen on them are left out."""
    for name, box in {"line": b"0 0 10000 10", "thread": b"0 0 10 10000"}.items():
        data = sheet(says("x", 2, 2, 4), entries=b"/MediaBox[%b]" % box)
        yield Case(name=f"thin/{name}", data=data, fails=DAMAGED, says="blank")
    line, page = b"/MediaBox[0 0 10000 10]", b"/MediaBox[0 0 400 600]"
    leaves = [
        Leaf(content=quarters(400, 600), entries=line),
        Leaf(content=quarters(400, 600), entries=page),
    ]
    second = Sheet(number=2, size=drawn(400, 600), spots=QUARTERS, text="")
    yield Case(name="thin/before-a-page", data=document(objects_of(*leaves)), sheets=(second,))


def mixed() -> Iterator[Case]:
    """Each page has its own size."""
    for name, sizes in {
        "standing-and-lying": [(595, 842), (842, 595), (595, 842)],
        "large-and-small": [(14_400, 7_200), (72, 144), (30, 20)],
    }.items():
        pages, sheets = [], []
        for number, (width, height) in enumerate(sizes, start=1):
            entries = b"/MediaBox[0 0 %d %d]" % (width, height)
            pages.append(Leaf(content=quarters(width, height), resources=FONT, entries=entries))
            sheets.append(Sheet(number=number, size=drawn(width, height), spots=QUARTERS))
        data = document(objects_of(*pages))
        yield Case(name=f"mixed/{name}", data=data, sheets=tuple(sheets))


def turned() -> Iterator[Case]:
    """A page is seen upright, as its entry says: clockwise, by quarters."""
    views = {
        0: (RED, GREEN, BLUE, YELLOW),
        90: (YELLOW, RED, GREEN, BLUE),
        180: (BLUE, YELLOW, RED, GREEN),
        270: (GREEN, BLUE, YELLOW, RED),
    }
    for angle in (0, 90, 180, 270, 360, 450, -90, -180, -270, 3690):
        clockwise = views[angle % 360]
        for name, width, height in (("standing", 400, 600), ("lying", 600, 400)):
            entries = b"/MediaBox[0 0 %d %d]/Rotate %d" % (width, height, angle)
            upright = (height, width) if angle % 180 else (width, height)
            page = Sheet(size=drawn(*upright), spots=corners(*clockwise), text="Upright")
            content = quarters(width, height) + says("Upright", 60, height / 2)
            yield Case(
                name=f"turned/{name}-{angle}",
                data=sheet(content, entries=entries),
                sheets=(page,),
            )
    for angle in (90, 270):
        entries = b"/MediaBox[0 0 600 800]/CropBox[100 100 500 700]/Rotate %d" % angle
        page = Sheet(size=drawn(600, 400), spots=corners(*views[angle]))
        data = boxed(entries, 400, 600, 100, 100)
        yield Case(name=f"turned/cropped-{angle}", data=data, sheets=(page,))
    inherited = objects_of(Leaf(content=quarters(400, 600), entries=b"/MediaBox[0 0 400 600]"))
    inherited[1] = inherited[1][:-2] + b"/Rotate 90>>"
    page = Sheet(size=drawn(600, 400), spots=corners(*views[90]))
    yield Case(name="turned/inherited", data=document(inherited), sheets=(page,))
    slanted = boxed(b"/MediaBox[0 0 400 600]/Rotate 0/UserUnit 2", 400, 600)
    yield seen("turned/with-a-unit", slanted, 800, 1200)
