"""What the tables of the documents have: their headers with units, and the documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmsearch_core.search.table_sql import TableSql

MOST_COLUMNS, MOST_DOCUMENTS = 1_000, 1_000
COLUMNS = """
SELECT array_to_string(header, ' / ') AS header, list_distinct(list(unit)) AS units,
  count(*) AS values, count(DISTINCT document) AS documents, min(number) AS least,
  max(number) AS greatest
FROM cells GROUP BY header ORDER BY documents DESC, values DESC, header
"""
DOCUMENTS = """
SELECT document, product, count(DISTINCT page) AS pages,
  count(DISTINCT (page, table_number)) AS tables, count(*) AS values
FROM cells GROUP BY document, product ORDER BY document
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A header, from the outermost inward, as it stands in some tables."""

    header: str
    units: tuple[str, ...]
    values: int
    documents: int
    least: float | None
    greatest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document with tables."""

    document: str
    product: str
    pages: int
    tables: int
    values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """All headers, those of most documents first, and all documents; or the first of them
    (``cut``)."""

    columns: tuple[Column, ...]
    documents: tuple[Document, ...]
    cut: bool


def columns_of(tables: TableSql) -> Columns:
    """What can be asked for."""
    headers = tables.ask(COLUMNS, limit=MOST_COLUMNS)
    documents = tables.ask(DOCUMENTS, limit=MOST_DOCUMENTS)
    columns = []
    for header, units, values, among, least, greatest in headers.rows:
        column = Column(
            header=header,
            units=_named(units),
            values=values,
            documents=among,
            least=least,
            greatest=greatest,
        )
        columns.append(column)
    listed = []
    for document, product, pages, number, values in documents.rows:
        listed.append(
            Document(document=document, product=product, pages=pages, tables=number, values=values)
        )
    return Columns(
        columns=tuple(columns), documents=tuple(listed), cut=headers.cut or documents.cut
    )


def _named(units: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(unit for unit in units if unit))
