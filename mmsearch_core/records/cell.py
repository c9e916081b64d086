"""A cell of a document's table, as it lies in the dataset of tables."""

from dataclasses import dataclass

from mmsearch_core.records.ids import AssetId, Build, ProductId
from mmsearch_core.records.table import TableSource


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """One value of a table with all that says where it is from. Its box is in thousandths of the
    page's width and height."""

    product: ProductId
    document: str  # key of the object in the catalog
    asset: AssetId
    build: Build
    page: int  # from 1
    table_number: int  # on its page, from 0
    row_number: int  # in its table, from 0, rows of headers counted
    column_number: int  # in its table, from 0
    label: str  # what its row is called
    header: tuple[str, ...]  # what its column is called, from the outermost header inward
    text: str
    number: float | None  # what it measures, where it is a number
    unit: str  # of the number; "" where nothing says one
    x0: int
    y0: int
    x1: int
    y1: int
    source: TableSource
    confidence: float  # of its table, 0 to 1
