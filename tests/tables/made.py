"""PDFs with tables of which every cell is known, each made here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

# a cell's text; LEFT or ABOVE where the cell to the left, or above, goes on
Grid = list[list[str]]
LEFT, ABOVE = "<", "^"
WORDS = "This garment is made of brushed cotton and should be washed at thirty degrees. "
SIZES = ("XS", "S", "M", "L", "XL", "XXL", "3XL", "4XL")
RULES = ("ruled", "booktabs", "zebra", "borderless", "lines")


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a table is drawn; lengths in points."""

    rules: str = "ruled"
    size: float = 10
    widths: Sequence[float] = ()
    padding: float = 4
    aligned: str = "left"
    font: str = "helv"
    header_fill: bool = False
    spacing: float = 1.2  # height of a line of text, in font sizes
    left: float = 60


@dataclass(frozen=True, kw_only=True)
class Made:
    """A document and the tables that each of its pages holds."""

    kind: str
    pdf: bytes
    tables: dict[int, list[Grid]] = field(default_factory=dict)


class Sheet:
    """A page that is filled from top to bottom."""

    def __init__(self, page: Any, top: float = 60) -> None:
        self.page = page
        self.top = top

    def heading(self, words: str) -> None:
        self.page.insert_text((60, self.top + 14), words, fontsize=14, fontname="hebo")
        self.top += 30

    def prose(self, words: str = WORDS * 6, *, left: float = 60, width: float = 475) -> None:
        """A paragraph, justified as books are."""
        import pymupdf

        box = pymupdf.Rect(left, self.top, left + width, self.top + 400)
        room = self.page.insert_textbox(box, words, fontsize=10, align=3)
        self.top += 400 - room + 8

    def table(self, grid: Grid, style: Style) -> None:
        _Drawn(self.page, grid, style).at(style.left, self.top)
        self.top += sum(_heights(grid, style)) + 16


def _heights(grid: Grid, style: Style) -> list[float]:
    lines = [max(cell.count("\n") + 1 for cell in row) for row in grid]
    return [count * style.size * style.spacing + 2 * style.padding for count in lines]


class _Drawn:
    def __init__(self, page: Any, grid: Grid, style: Style) -> None:
        self.page, self.grid, self.style = page, grid, style
        self.widths = list(style.widths) or [80.0] * len(grid[0])
        self.heights = _heights(grid, style)
        self.script = any(not cell.isascii() for row in grid for cell in row)

    def at(self, left: float, top: float) -> None:
        self.xs = [left + sum(self.widths[:column]) for column in range(len(self.widths) + 1)]
        self.ys = [top + sum(self.heights[:row]) for row in range(len(self.heights) + 1)]
        self._fills()
        getattr(self, f"_{self.style.rules}")()
        for row, column, rows, columns, text in spans(self.grid):
            if text:
                self._text(row, column, rows, columns, text)

    def _line(self, x0: float, y0: float, x1: float, y1: float, width: float = 0.7) -> None:
        self.page.draw_line((x0, y0), (x1, y1), width=width)

    def _fills(self) -> None:
        shaded = range(1, len(self.grid), 2) if self.style.rules == "zebra" else ()
        for row in shaded:
            self._fill(row, 0.92)
        if self.style.header_fill:
            self._fill(0, 0.8)

    def _fill(self, row: int, gray: float) -> None:
        box = (self.xs[0], self.ys[row], self.xs[-1], self.ys[row + 1])
        self.page.draw_rect(box, color=None, fill=(gray, gray, gray))

    def _ruled(self) -> None:
        for row, column, rows, columns, _ in spans(self.grid):
            x0, x1 = self.xs[column], self.xs[column + columns]
            y0, y1 = self.ys[row], self.ys[row + rows]
            for line in ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1)):
                self._line(*line)

    def _booktabs(self) -> None:
        for row, width in ((0, 1.2), (1, 0.6), (-1, 1.2)):
            self._line(self.xs[0], self.ys[row], self.xs[-1], self.ys[row], width)

    def _lines(self) -> None:
        """A rule below each row and none between columns."""
        for y in self.ys:
            self._line(self.xs[0], y, self.xs[-1], y)

    def _zebra(self) -> None:
        pass

    def _borderless(self) -> None:
        pass

    def _text(self, row: int, column: int, rows: int, columns: int, text: str) -> None:
        style = self.style
        x0, x1 = self.xs[column] + style.padding, self.xs[column + columns] - style.padding
        lines = text.split("\n")
        height = self.ys[row + rows] - self.ys[row]
        y = self.ys[row] + (height - len(lines) * style.size * style.spacing) / 2
        for line in lines:
            self._words(line, x0, x1, y)
            y += style.size * style.spacing

    def _words(self, line: str, x0: float, x1: float, y: float) -> None:
        import pymupdf

        style = self.style
        if self.script:
            box = pymupdf.Rect(x0, y - 2, x1, y + style.size * 1.6)
            css = f"* {{font-size:{style.size}pt; margin:0; padding:0; text-align:{style.aligned}}}"
            self.page.insert_htmlbox(box, f"<p>{line}</p>", css=css)
            return
        length = pymupdf.get_text_length(line, fontname=style.font, fontsize=style.size)
        x = {"left": x0, "right": x1 - length, "center": (x0 + x1 - length) / 2}[style.aligned]
        self.page.insert_text((x, y + style.size), line, fontsize=style.size, fontname=style.font)


def spans(grid: Grid) -> Iterator[tuple[int, int, int, int, str]]:
    """Row, column, rows, columns and text of each cell."""
    for row, cells in enumerate(grid):
        for column, text in enumerate(cells):
            if text in (LEFT, ABOVE):
                continue
            columns = rows = 1
            while column + columns < len(cells) and cells[column + columns] == LEFT:
                columns += 1
            while row + rows < len(grid) and grid[row + rows][column] == ABOVE:
                rows += 1
            yield row, column, rows, columns, text


def document(*draws: Callable[[Any], None], size: tuple[float, float] = (595, 842)) -> bytes:
    import pymupdf

    with pymupdf.open() as made:
        for draw in draws:
            draw(made.new_page(width=size[0], height=size[1]))
        data: bytes = made.tobytes()
        return data


def size_chart(rows: int, columns: int, decimals: int = 0) -> Grid:
    """Sizes by measures, the last column with decimals."""
    names = ("Size", "Chest cm", "Waist cm", "Hip cm", "Sleeve cm", "Inseam cm", "Neck cm")
    grid = [list(names[:columns])]
    for row in range(rows):
        cells = [SIZES[row % len(SIZES)]]
        for column in range(1, columns):
            number = 60 + 13 * column + 4 * row + (row * 0.5 if decimals else 0)
            cells.append(f"{number:.{decimals}f}")
        grid.append(cells)
    return grid


def spread_header(rows: int) -> Grid:
    """A header of two rows, spanning columns, and a first column that spans rows."""
    grid = [["Model", "Body", LEFT, "Legs", "Notes"], [ABOVE, "Chest", "Waist", "Inseam", ABOVE]]
    for row in range(rows):
        name = ("Alpha", "Beta", "Gamma", "Delta")[row // 2]
        note = ("slim fit\nzip fly", "regular", "wide", "tapered")[row % 4]
        numbers = [f"{start + 4 * row}" for start in (88, 72, 80)]
        grid.append([ABOVE if row % 2 else name, *numbers, note])
    return grid


SPECIFICATION: Grid = [
    ["Property", "Value", "Unit", "Tolerance"],
    ["Weight", "182", "g/m2", "5 %"],
    ["Width", "150", "cm", "2 %"],
    ["Shrinkage", "3.5", "%", "0.5 %"],
    ["Colour fastness", "4", "grade", "-"],
    ["Pilling", "3", "grade", "-"],
    ["Thickness", "0.42", "mm", "0.02"],
    ["Thread count", "120", "per cm", "3"],
]
DECIMALS: Grid = [
    ["Article", "Length", "Price", "Sold"],
    ["Trouser", "60.0", "1.25", "27.083.460"],
    ["Shirt", "60.5", "12.90", "1.234"],
    ["Coat", "104.0", "199.00", "3.460.083"],
]
CHINESE: Grid = [
    ["尺码", "胸围", "腰围", "臀围"],
    *[
        [name, f"{86 + 4 * i}", f"{70 + 4 * i}厘米", f"{90 + 4 * i}"]
        for i, name in enumerate(("小号", "中号", "大号", "加大"))
    ],
]
# as it stands on paper, where its labels are at the right
HEBREW: Grid = [
    ["מותן", "חזה", "מידה"],
    ["72", "88", "קטן"],
    ["76", "92", "בינוני"],
    ["80", "96", "גדול"],
]
EMPTY_CELLS: Grid = [
    ["Size", "EU", "UK", "US", "Note"],
    ["S", "36", "", "4", ""],
    ["M", "38", "10", "", "most sold"],
    ["L", "", "12", "8", ""],
    ["XL", "42", "14", "10", "new"],
]
LEADERS: Grid = [
    ["Offence", "Total", "Under 18", "18 and over"],
    ["Robbery . . . . . . .", "102.1", "25.5", "76.6"],
    ["Burglary . . . . . .", "240.9", "60.3", "180.6"],
    ["Arson . . . . . . . .", "9.4", "4.4", "5.0"],
]
LINES: Grid = [
    ["Part", "Material", "Care"],
    ["Shell", "Cotton twill\nwith elastane", "Wash at\n30 degrees"],
    ["Lining", "Viscose", "Iron low"],
    ["Collar", "Wool felt\n(Melton)", "Dry clean\nonly"],
]


def one_table(kind: str, grid: Grid, style: Style | None = None, *, prose: bool = True) -> Made:
    drawn = style or Style()

    def draw(page: Any) -> None:
        sheet = Sheet(page)
        sheet.heading("Size chart")
        if prose:
            sheet.prose()
        sheet.table(grid, drawn)
        if prose:
            sheet.prose()

    return Made(kind=kind, pdf=document(draw), tables={1: [grid]})


def size_charts() -> Iterator[Made]:
    """Rules, sizes of type, counts of rows and columns, decimals and alignments, each varied."""
    shapes = ((4, 3), (6, 5), (8, 7))
    for number, rules in enumerate(RULES):
        for turn, (rows, columns) in enumerate(shapes):
            style = Style(
                rules=rules,
                size=(9, 10, 11)[turn],
                widths=[68.0] * columns,
                aligned=("left", "right", "center")[(turn + number) % 3],
                font=("helv", "tiro", "cour")[(turn + 2 * number) % 3] if columns < 7 else "helv",
                header_fill=turn == 1,
            )
            grid = size_chart(rows, columns, decimals=(turn + number) % 3)
            yield one_table("size chart", grid, style, prose=turn != 2)


def specifications() -> Iterator[Made]:
    for rules in RULES:
        yield one_table(
            "specification", SPECIFICATION, Style(rules=rules, widths=(110, 70, 70, 70))
        )


def decimals() -> Iterator[Made]:
    for rules in RULES:
        yield one_table("decimals", DECIMALS, Style(rules=rules))


def spread() -> Iterator[Made]:
    for rows in (2, 4, 6, 8):
        yield one_table("spans", spread_header(rows))


def other_scripts() -> Iterator[Made]:
    for rules in ("ruled", "zebra", "booktabs"):
        yield one_table("Chinese", CHINESE, Style(rules=rules))
    for rules in ("ruled", "lines"):
        yield one_table("Hebrew", HEBREW, Style(rules=rules, aligned="right"))


def uneven() -> Iterator[Made]:
    for rules in ("ruled", "lines", "booktabs"):
        yield one_table("empty cells", EMPTY_CELLS, Style(rules=rules))
    for rules in ("ruled", "lines"):
        yield one_table("lines in cells", LINES, Style(rules=rules, widths=(80, 120, 110)))


def side_by_side() -> Iterator[Made]:
    care = [["Care", "Symbol"], ["Wash", "30"], ["Iron", "110"], ["Dry", "low"]]
    for rules in ("ruled", "ruled", "booktabs"):
        chart = size_chart(3, 3)

        def draw(page: Any, rules: str = rules, chart: Grid = chart) -> None:
            sheet = Sheet(page)
            sheet.prose()
            top = sheet.top
            sheet.table(chart, Style(rules=rules, widths=[60] * 3))
            sheet.top = top
            sheet.table(care, Style(rules=rules, widths=[60] * 2, left=330))
            sheet.prose()

        yield Made(kind="side by side", pdf=document(draw), tables={1: [chart, care]})


def two_below() -> Iterator[Made]:
    for rules in ("ruled", "booktabs", "borderless"):

        def draw(page: Any, rules: str = rules) -> None:
            sheet = Sheet(page)
            sheet.table(size_chart(4, 4), Style(rules=rules))
            sheet.prose()
            sheet.table(DECIMALS, Style(rules=rules))

        grids = [size_chart(4, 4), DECIMALS]
        yield Made(kind="two below", pdf=document(draw), tables={1: grids})


def long() -> Iterator[Made]:
    """A table that goes on over pages, its header repeated."""
    for rules, rows in (("ruled", 30), ("lines", 36)):
        header = ["No", "Article", "Price"]
        parts = [
            [header, *[[str(i), f"Article number {i}", f"{i * 1.25:.2f}"] for i in numbers]]
            for numbers in (range(1, rows), range(rows, 2 * rows), range(2 * rows, 2 * rows + 6))
        ]

        def drawn(grid: Grid, rules: str = rules) -> Callable[[Any], None]:
            style = Style(rules=rules, widths=(40, 160, 70), padding=3)
            return lambda page: Sheet(page).table(grid, style)

        pdf = document(*map(drawn, parts))
        yield Made(kind="long", pdf=pdf, tables={n: [part] for n, part in enumerate(parts, 1)})


def turned() -> Iterator[Made]:
    """Pages that are shown turned, and a table drawn sideways on an upright page."""
    import pymupdf

    grid = size_chart(5, 4, decimals=1)
    upright = one_table("rotated", grid, prose=False).pdf
    for angle in (90, 180, 270):
        with pymupdf.open(stream=upright, filetype="pdf") as made:
            # so that it reads upright for whoever looks at it
            made[0].set_rotation(angle)
            made[0].remove_rotation()
            made[0].set_rotation((360 - angle) % 360)
            yield Made(kind="rotated", pdf=made.tobytes(), tables={1: [grid]})
    for angle in (90, 270):
        with pymupdf.open(stream=upright, filetype="pdf") as made:
            made[0].set_rotation(angle)
            made[0].remove_rotation()
            yield Made(kind="sideways", pdf=made.tobytes(), tables={1: [grid]})


def without_tables() -> Iterator[Made]:
    yield from _prose()
    yield from _lists()
    yield Made(kind="no table", pdf=document(lambda _: None))


def _prose() -> Iterator[Made]:
    for paragraphs in (1, 4, 9):

        def one(page: Any, paragraphs: int = paragraphs) -> None:
            sheet = Sheet(page)
            sheet.heading("Care of wool")
            for _ in range(paragraphs):
                sheet.prose()

        yield Made(kind="no table", pdf=document(one))
    for paragraphs, gap in ((2, 15), (4, 15), (4, 30)):

        def two(page: Any, paragraphs: int = paragraphs, gap: int = gap) -> None:
            sheet = Sheet(page)
            for left in (60, 60 + 230 + gap):
                sheet.top = 60
                for number in range(paragraphs):
                    words = WORDS * (4 + (number + left) % 3) + WORDS[: 20 + 7 * number]
                    sheet.prose(words, left=left, width=230)

        yield Made(kind="no table", pdf=document(two))


def _form(page: Any) -> None:
    sheet = Sheet(page)
    sheet.heading("Return form")
    for label in ("Name", "Street", "Postcode and city", "Order number", "Reason"):
        page.insert_text((60, sheet.top + 10), f"{label}:", fontsize=10)
        page.draw_line((170, sheet.top + 12), (500, sheet.top + 12))
        sheet.top += 26


def _bullets(page: Any) -> None:
    sheet = Sheet(page)
    for number in range(9):
        page.insert_text((60, sheet.top + 10), f"{number + 1}.", fontsize=10)
        page.insert_text((80, sheet.top + 10), WORDS[: 40 + 3 * number], fontsize=10)
        sheet.top += 16


def _contents(page: Any) -> None:
    sheet = Sheet(page)
    for number in range(12):
        page.insert_text((60, sheet.top + 10), f"Chapter {number + 1} {'. ' * 50}", fontsize=10)
        page.insert_text((520, sheet.top + 10), f"{7 * number + 3}", fontsize=10)
        sheet.top += 16


def _framed(page: Any) -> None:
    sheet = Sheet(page)
    for _ in range(3):
        top = sheet.top
        sheet.prose(left=70, width=400)
        page.draw_rect((60, top - 6, 480, sheet.top))
        sheet.top += 12


def _footer(page: Any) -> None:
    sheet = Sheet(page)
    sheet.prose()
    page.insert_text((60, 800), "Our shop, 2026", fontsize=9)
    page.insert_text((480, 800), "page 3 of 12", fontsize=9)


def _lists() -> Iterator[Made]:
    for draw in (_form, _bullets, _contents, _framed, _footer):
        yield Made(kind="no table", pdf=document(draw))


def every() -> list[Made]:
    """All kinds, in a fixed order."""
    makers = (
        size_charts, specifications, decimals, spread, other_scripts, uneven, side_by_side,
        two_below, long, turned, without_tables,
    )  # fmt: skip
    made: list[Made] = []
    for maker in makers:
        made += maker()
    return made
