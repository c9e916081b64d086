"""What has the shape of a table, and what was only taken for one: prose in columns, lists, tables
of contents, the same table again."""

import re
from collections import Counter
from collections.abc import Sequence

from mmsearch_core.records.table import Box, Table

LONG = 30  # characters of a cell, of which a line of a column of prose has more
# a mark before the lines of a list
MARK = re.compile(r"(\W{1,2}|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])")
LEADERS = re.compile(r"(\.\s?){5,}")  # from a chapter's name to its page
NUMBERS = 0.25  # share of the cells of a table that only one reading found
FILLED = 0.25  # share of the places of a table where something stands
DIFFERENT = 0.5  # share of the rows that are not another's twin


def without_surplus(tables: Sequence[Table]) -> list[Table]:
    """The tables that are some, each once: of two that are mostly at the same place, the one of
    more cells."""
    kept: list[Table] = []
    shaped = [table for table in tables if has_shape(table)]
    for table in sorted(shaped, key=lambda table: -len(table.cells)):
        if not any(_is_same_place(table.box, other.box) for other in kept):
            kept.append(table)
    return [table for table in shaped if table in kept]


def has_shape(table: Table) -> bool:
    """Whether two rows and two columns or more hold text, short for the most part, and rows differ
    from each other."""
    rows = {cell.row for cell in table.cells}
    columns = {cell.column for cell in table.cells}
    return (
        len(rows) >= 2
        and len(columns) >= 2
        and _is_filled(table)
        and not _is_list(table)
        and not _is_prose(table, columns)
        and not _repeats(table)
        and not _is_doubtful(table)
    )


def _is_filled(table: Table) -> bool:
    covered = sum(cell.rows * cell.columns for cell in table.cells)
    return covered >= FILLED * table.rows * table.columns


def _is_list(table: Table) -> bool:
    """Marks with a line each, or chapters with a page each."""
    leaders = sum(bool(LEADERS.search(cell.text)) for cell in table.cells)
    first = [cell.text for cell in table.cells if cell.column == 0]
    marks = table.columns == 2 and all(map(MARK.fullmatch, first))
    return marks or leaders * 2 > table.rows


def _is_prose(table: Table, columns: set[int]) -> bool:
    """Whether no column is of short cells."""
    for column in columns:
        texts = [cell.text for cell in table.cells if cell.column == column]
        if sum(len(text) <= LONG for text in texts) * 2 > len(texts) and len(texts) > 1:
            return False
    return True


def _is_doubtful(table: Table) -> bool:
    """Whether only one reading of the document found it, and few cells hold a number: most often
    these are the lines of a page's head, or a list in columns."""
    numbers = sum(cell.text[:1].isdigit() for cell in table.cells)
    unconfirmed = table.source == "text layer" and table.confidence == 0
    return unconfirmed and numbers < NUMBERS * len(table.cells)


def _repeats(table: Table) -> bool:
    rows: dict[int, tuple[str, ...]] = {}
    for cell in table.cells:
        rows[cell.row] = (*rows.get(cell.row, ()), cell.text)
    most = max(Counter(rows.values()).values(), default=0)
    return len(rows) > 3 and (len(set(rows.values())) < DIFFERENT * len(rows) or most > 5)


def _is_same_place(one: Box, other: Box) -> bool:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min(_area(one), _area(other))
    return width > 0 and height > 0 and width * height * 2 > smaller


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
