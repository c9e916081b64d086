"""The tables of an asset as the cells of the dataset."""

from collections.abc import Iterator, Sequence

from mmsearch_core.media.tables import values
from mmsearch_core.records.asset import Asset
from mmsearch_core.records.cell import TableCell
from mmsearch_core.records.ids import Build
from mmsearch_core.records.segment import Page, Segment
from mmsearch_core.records.table import Table


def cells_of(
    asset: Asset, build: Build, pages: Sequence[tuple[Segment, Sequence[Table]]]
) -> list[TableCell]:
    """All values of the tables of these pages, by page, table, row and column."""
    cells: list[TableCell] = []
    for segment, tables in pages:
        assert isinstance(segment.where, Page)
        for table in tables:
            cells += _cells(asset, build, segment.where.number, table)
    return sorted(cells, key=_place)


def _cells(asset: Asset, build: Build, page: int, table: Table) -> Iterator[TableCell]:
    for value in values(table):
        x0, y0, x1, y1 = value.box
        yield TableCell(
            product=asset.product_id,
            document=asset.source.key,
            asset=asset.asset_id,
            build=build,
            page=page,
            table_number=table.number,
            row_number=value.row,
            column_number=value.column,
            label=value.label,
            header=value.header,
            text=value.text,
            number=value.number,
            unit=value.unit,
            x0=x0,
            y0=y0,
            x1=x1,
            y1=y1,
            source=table.source,
            confidence=table.confidence,
        )


def _place(cell: TableCell) -> tuple[int, int, int, int]:
    return cell.page, cell.table_number, cell.row_number, cell.column_number
