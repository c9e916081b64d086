"""Size charts of the demonstration shop, as a page of a PDF: with its text, or scanned."""

from __future__ import annotations

import io
import re
from bisect import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pymupdf
    from PIL import Image

WIDTH, HEIGHT = 336.0, 216.0  # points; 448 x 288 pixels at 96 an inch
INCH = 96  # pixels an inch at which a model reads a scan
LEFT, HEAD, LINE = 12.0, 40.0, 27.0  # points: of the margin, above the table, of a row
BARE = 8.0  # points above a table without a heading
FIRST = 54.0  # points, of the first column: the sizes
LARGE = 1.35  # times the header's letters are those below, so that a small model can read them
INK = ((0.1, 0.1, 0.12), (0.05, 0.05, 0.3), (0.25, 0.25, 0.25))
STYLES = ("ruled", "lined", "zebra", "plain")
WORDS = {
    "size": ("Size", "尺码"),
    "chest": ("Chest", "胸围"),
    "waist": ("Waist", "腰围"),
    "hips": ("Hips", "臀围"),
    "length": ("Length", "衣长"),
    "sleeve": ("Sleeve", "袖长"),
    "foot": ("Foot", "脚长"),
    "width": ("Width", "宽"),
    "height": ("Height", "高"),
}
HEADING_BOX = (54, 65, 290, 135)  # of the heading, about, in thousandths of the page
HEADING = ("Size chart", "尺码表")
TOP = (("chest", 84, 5), ("waist", 70, 5), ("length", 62, 2))
SHOE = (("foot", 22, 0.5),)
# of a category: what is measured, in centimetres at the smallest size, and how much more each
# further size has
MEASURES: dict[str, tuple[tuple[str, float, float], ...]] = {
    **dict.fromkeys(("t-shirt", "pullover", "coat", "shirt"), TOP),
    "dress": (("chest", 80, 4), ("waist", 62, 4), ("hips", 88, 4)),
    "trousers": (("waist", 68, 4), ("hips", 90, 4), ("length", 98, 1.5)),
    **dict.fromkeys(("sandal", "sneaker", "ankle boot"), SHOE),
    "bag": (("width", 24, 6), ("height", 16, 4)),
}
RUN = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")  # of letters of one font
SIZES = ("XS", "S", "M", "L", "XL", "XXL")


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeChart:
    """A table under a heading: rows of texts, of which the first is the header."""

    heading: str
    rows: tuple[tuple[str, ...], ...]


def size_chart(
    category: str,
    rng: np.random.Generator,
    *,
    sizes: int | None = None,
    chinese: bool | None = None,
) -> SizeChart:
    """The size chart of a garment of this category, in English or Chinese, with so many sizes."""
    drawn = rng.random() < 0.4
    chinese = bool(drawn) if chinese is None else chinese
    count = sizes or int(rng.integers(3, 6))
    measures = list(MEASURES[category])
    headers = [header(name, chinese) for name, *_ in measures]
    shoes = measures[0][0] == "foot"
    if shoes:
        smallest = int(rng.integers(35, 46 - count))
        labels = [str(smallest + step) for step in range(count)]
    else:
        first = int(rng.integers(0, len(SIZES) - count + 1))
        labels = list(SIZES[first : first + count])
    columns = [labels]
    for _, least, more in measures:
        begin = least + float(rng.integers(0, 30)) * 0.5 * (1 if shoes else 2)
        halves = bool(rng.random() < 0.3)
        step = more + (0.5 if halves else 0.0)
        columns.append([number(begin + step * place) for place in range(count)])
    if shoes:  # the size in Britain
        columns.insert(1, [number(float(label) - 33 + 0.5) for label in labels])
        headers.insert(0, "UK")
    names = ("EU" if shoes else header("size", chinese), *headers)
    return SizeChart(heading=HEADING[chinese], rows=(names, *zip(*columns, strict=True)))


def letters() -> str:
    """Every letter that a chart may hold, the space first."""
    words = [word for pair in (*WORDS.values(), HEADING) for word in pair]
    return " " + "".join(sorted({*"".join([*words, *SIZES, "EUK cm0123456789."])} - {" "}))


def header(name: str, chinese: bool) -> str:
    """What stands over a column: all but the sizes are measured in centimetres."""
    word = WORDS[name][chinese]
    return word if name == "size" else f"{word} cm"


def number(value: float) -> str:
    """As it is printed: 80, 80.5."""
    return f"{value:.1f}".removesuffix(".0")


def page(chart: SizeChart, rng: np.random.Generator, *, heading: bool = True) -> pymupdf.Document:
    """A document of one page that shows the chart; ruled, striped or bare."""
    import pymupdf

    top = _top(heading)
    tall = HEIGHT if heading else 2 * top + LINE * len(chart.rows)
    document = pymupdf.open()
    sheet = document.new_page(width=WIDTH, height=tall)
    ink, style = INK[int(rng.integers(len(INK)))], STYLES[int(rng.integers(len(STYLES)))]
    left = LEFT + float(rng.uniform(-4, 4))
    top += float(rng.uniform(-3, 3))
    columns = _columns(chart, left)
    size = float(rng.uniform(14.0, 16.0))  # points, of the header
    _lines(sheet, chart, columns, top, style)
    if heading:
        _write(sheet, (left + 6, top - 14), chart.heading, size + 2, ink)
    for place, row in enumerate(chart.rows):
        high = size * LARGE if place else size
        for start, text in zip(columns, row, strict=False):
            _write(sheet, (start + 6, top + LINE * place + 20), text, high, ink)
    return document


def _columns(chart: SizeChart, left: float) -> list[float]:
    """Where columns begin, and where the last one ends; in points."""
    others = len(chart.rows[0]) - 1
    wide = min((WIDTH - 2 * LEFT - FIRST) / others, 88.0)
    return [left, *(left + FIRST + wide * place for place in range(others + 1))]


def _top(heading: bool) -> float:
    """Where the table begins, about, in points."""
    return HEAD if heading else BARE


def cell_at(chart: SizeChart, x: float, y: float, *, heading: bool) -> tuple[int, int] | None:
    """Row and column of the cell whose text stands there, in points; None outside the table."""
    row = int((y - _top(heading)) // LINE)
    column = bisect(_columns(chart, LEFT)[:-1], x) - 1
    return (row, column) if row >= 0 and column >= 0 else None


def _lines(
    sheet: pymupdf.Page, chart: SizeChart, columns: list[float], top: float, style: str
) -> None:
    rows, grey = len(chart.rows), (0.55, 0.55, 0.6)
    bottom = top + LINE * rows
    if style == "zebra":
        for place in range(1, rows, 2):
            band = (columns[0], top + LINE * place, columns[-1], top + LINE * (place + 1))
            sheet.draw_rect(band, color=None, fill=(0.92, 0.93, 0.96))
    across = range(rows + 1) if style in ("ruled", "lined") else (1,)
    for place in across:
        height = top + LINE * place
        sheet.draw_line((columns[0], height), (columns[-1], height), color=grey, width=0.8)
    if style == "ruled":
        for start in columns:
            sheet.draw_line((start, top), (start, bottom), color=grey, width=0.8)


def _write(
    sheet: pymupdf.Page,
    place: tuple[float, float],
    text: str,
    size: float,
    ink: tuple[float, float, float],
) -> None:
    import pymupdf

    across, base = place
    for run in RUN.findall(text):
        font = "helv" if run.isascii() else "china-s"
        sheet.insert_text((across, base), run, fontsize=size, fontname=font, color=ink)
        across += pymupdf.get_text_length(run, fontname=font, fontsize=size)


def photographed(
    document: pymupdf.Document, rng: np.random.Generator, *, scale: float
) -> tuple[Image.Image, float]:
    """The page as a scanner sees it, not quite white and with grain; and by how many degrees it
    lies askew, counterclockwise."""
    import numpy as np
    import pymupdf
    from PIL import Image

    zoom = scale * INCH / 72
    drawn = document[0].get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), colorspace=pymupdf.csRGB)
    picture = Image.frombytes("RGB", (drawn.width, drawn.height), drawn.samples)
    paper = int(rng.integers(238, 256))
    askew = float(rng.uniform(-0.7, 0.7))
    picture = picture.rotate(
        askew,
        resample=Image.Resampling.BICUBIC,
        fillcolor=(255, 255, 255),
    )
    pixels = np.asarray(picture, dtype=np.float32) * (paper / 255)
    pixels += rng.normal(0, rng.uniform(0.5, 5), (*pixels.shape[:2], 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), askew


def scanned(document: pymupdf.Document, rng: np.random.Generator) -> bytes:
    """A PDF that holds the page as a picture only, as scanners write it."""
    import pymupdf

    out = io.BytesIO()
    picture, _ = photographed(document, rng, scale=2)
    picture.save(out, "JPEG", quality=85)
    scan = pymupdf.open()
    sheet = scan.new_page(width=document[0].rect.width, height=document[0].rect.height)
    sheet.insert_image(sheet.rect, stream=out.getvalue())
    return written(scan)


def written(document: pymupdf.Document) -> bytes:
    """The bytes of the document, the same each time."""
    document.set_metadata({})
    document.subset_fonts()
    data: bytes = document.tobytes(deflate=True, garbage=3, no_new_id=True)
    return data


def box(chart: SizeChart) -> tuple[int, int, int, int]:
    """Where the chart stands on its page, about: left, top, right, bottom in thousandths."""
    columns = _columns(chart, LEFT)
    bottom = HEAD + LINE * len(chart.rows)
    return (
        round(1000 * columns[0] / WIDTH),
        round(1000 * HEAD / HEIGHT),
        round(1000 * columns[-1] / WIDTH),
        round(1000 * bottom / HEIGHT),
    )
