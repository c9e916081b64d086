"""SQL by whoever may type it: it reads the cells, and nothing else in the world."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mmsearch_core.errors import BadSettings
from mmsearch_core.parquet import dump
from mmsearch_core.records.cell import TableCell
from mmsearch_core.records.ids import AssetId, Build, ProductId
from mmsearch_core.search.table_columns import columns_of
from mmsearch_core.search.table_sql import LARGE, SLOW, TableSql


def cell(
    row: int, column: int, text: str, header: tuple[str, ...], unit: str = "", document: str = "a"
) -> TableCell:
    """A cell of the one table of a document."""
    number = float(text) if text.replace(".", "").isdigit() else None
    return TableCell(
        product=ProductId(f"p-{document}"),
        document=f"pictures/{document}.pdf",
        asset=AssetId(document),
        build=Build("b"),
        page=1,
        table_number=0,
        row_number=row,
        column_number=column,
        label="",
        header=header,
        text=text,
        number=number,
        unit=unit if number is not None else "",
        x0=0,
        y0=0,
        x1=1000,
        y1=1000,
        source="text layer",
        confidence=1.0,
    )


def chart(document: str, *waists: str, unit: str = "cm") -> list[TableCell]:
    """A size chart: sizes from S on, and their waists."""
    cells = []
    for row, waist in enumerate(waists, start=1):
        cells.append(cell(row, 0, "SMLX"[row - 1], ("Size",), document=document))
        cells.append(cell(row, 1, waist, ("Body", "Waist"), unit, document=document))
    return cells


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cells.parquet"
    path.write_bytes(dump([*chart("a", "68", "76", "84"), *chart("b", "700", "820")], TableCell))
    return path


@pytest.fixture
def tables(file: Path) -> Iterator[TableSql]:
    with TableSql(file) as made:
        yield made


def test_a_select_reads_the_cells(tables: TableSql) -> None:
    found = tables.ask(
        "SELECT text, number, header FROM cells WHERE number > 80 AND document LIKE '%a.pdf'",
        limit=5,
    )
    assert found.columns == ("text", "number", "header")
    assert found.rows == (("84", 84.0, ["Body", "Waist"]),)
    assert not found.cut


def test_a_row_of_a_table_is_a_row_with_its_cells(tables: TableSql) -> None:
    found = tables.ask(
        "SELECT cells FROM table_rows WHERE row_number = 2 ORDER BY document", limit=5
    )
    assert [[one["text"] for one in row[0]] for row in found.rows] == [["M", "76"], ["M", "820"]]
    assert found.rows[0][0][1]["header"] == "Body / Waist"


def test_of_many_rows_the_first_come_and_it_is_said(tables: TableSql) -> None:
    found = tables.ask("SELECT * FROM range(1000)", limit=3)
    assert (found.rows, found.cut) == (((0,), (1,), (2,)), True)


def test_what_the_tables_have_is_told(tables: TableSql) -> None:
    known = columns_of(tables)
    waist = next(one for one in known.columns if one.header == "Body / Waist")
    assert (waist.units, waist.values, waist.documents) == (("cm",), 5, 2)
    assert (waist.least, waist.greatest) == (68.0, 820.0)
    assert [one.document for one in known.documents] == ["pictures/a.pdf", "pictures/b.pdf"]


HOSTILE = (
    "COPY cells TO '{folder}/out.csv'",
    "COPY cells FROM '/etc/passwd'",
    "ATTACH '{folder}/other.db'",
    "EXPORT DATABASE '{folder}/out'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('{folder}/cells.parquet')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '{folder}/cells.parquet'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_parquet('s3://bucket/key')",
    "SELECT * FROM read_csv('http://localhost:1/x')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "PRAGMA enable_external_access",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET memory_limit = '100GB'",
    "RESET memory_limit",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE cells",
    "DROP TABLE cells",
    "DELETE FROM cells",
    "INSERT INTO cells SELECT * FROM cells",
    "CREATE TABLE mine AS SELECT 1",
    "CREATE SECRET mine (TYPE s3)",
    "WITH gone AS (DELETE FROM cells RETURNING *) SELECT * FROM gone",
    "SELECT * FROM query('DROP TABLE cells')",
    "SELECT * FROM database",
    "SELECT getenv('HOME')",
    "CALL pragma_version()",
    "EXPLAIN SELECT 1",
    "BEGIN TRANSACTION",
    "PREPARE p AS SELECT 1",
    "SELEC 1",
    "SELECT nothing FROM cells",
    "SELECT ? FROM cells",
    "",
    ";",
    "-- nothing",
)


@pytest.mark.parametrize("sql", HOSTILE)
def test_whatever_else_is_asked_is_refused_in_one_sentence(
    sql: str, tables: TableSql, file: Path
) -> None:
    before = file.read_bytes()
    with pytest.raises(BadSettings) as refused:
        tables.ask(sql.replace("{folder}", str(file.parent)), limit=5)
    said = str(refused.value)
    assert "\n" not in said
    assert said.endswith((".", "?", "!"))
    assert "root:" not in said
    assert [path.name for path in file.parent.iterdir()] == ["cells.parquet"]
    assert file.read_bytes() == before
    assert tables.ask("SELECT count(*) FROM cells", limit=1).rows == ((10,),)


ENDLESS = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "SELECT count(*) FROM range(1000000000000) a",
    "SELECT repeat('x', 3000000000)",
    "SELECT list(range) FROM range(10000000000)",
    "SELECT string_agg(range::text, '') FROM range(10000000000)",
    "SELECT range(1000000000)",
    "SELECT sum(length(repeat('x', 100000000))) FROM range(100000)",
)


@pytest.mark.parametrize("sql", ENDLESS)
def test_what_never_ends_or_grows_is_stopped(sql: str, file: Path) -> None:
    with TableSql(file, seconds=4) as tables:
        with pytest.raises(BadSettings) as refused:
            tables.ask(sql, limit=5)
        assert str(refused.value) in (SLOW, LARGE)
        assert tables.ask("SELECT count(*) FROM cells", limit=1).rows == ((10,),)
