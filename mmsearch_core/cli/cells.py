"""`mmsearch tables`: what stands in the tables of the documents, asked by SQL or in words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, cell, say, show_json
from mmsearch_core.errors import BadSettings
from mmsearch_core.own_folder import own_folder
from mmsearch_core.records.table_filter import Condition
from mmsearch_core.search.table_columns import Columns, columns_of
from mmsearch_core.search.table_filter import Filter, filter_of
from mmsearch_core.search.table_sql import Found, TableSql
from mmsearch_core.wiring.batches import Runtime

app = typer.Typer(rich_markup_mode="markdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a query found, a mapping per row; ``cut``: there are more. The conditions are those that
    a request in words became."""

    sql: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    cut: bool
    conditions: tuple[Condition, ...] = ()


@app.command()
def tables(
    sql: Annotated[
        str, typer.Argument(help="A SELECT over `cells`, or `table_rows` with a row per row.")
    ] = "",
    ask: Annotated[str, typer.Option(help="What rows are wanted, in words.")] = "",
    columns: Annotated[
        bool, typer.Option("--columns", help="Show which headers, units and documents there are.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many rows.")] = 100,
    as_json: Json = False,
) -> None:
    """Ask the tables of the documents that are in the index; without a question, show what they
    have."""
    if bool(sql.strip()) + bool(ask.strip()) + columns > 1:
        raise BadSettings("Give a SELECT, --ask or --columns: one of them.")
    runtime = session.runtime()
    with _cells(runtime) as found:
        if sql.strip():
            _show(found.ask(sql, limit=limit), sql, as_json)
        elif ask.strip():
            asked = filter_of(ask, columns_of(found).columns, runtime.vlm)
            _show(found.ask(asked.sql, asked.parameters, limit=limit), asked, as_json)
        else:
            _show_columns(columns_of(found), as_json)


@contextmanager
def _cells(runtime: Runtime) -> Iterator[TableSql]:
    from mmsearch_core.search.cells import write_current_cells

    with own_folder() as folder:
        file = Path(folder, "cells.parquet")
        write_current_cells(runtime.work, runtime.ledger, runtime.live_target(), file)
        with TableSql(file) as tables_sql:
            yield tables_sql


def _show(found: Found, asked: str | Filter, as_json: bool) -> None:
    sql = asked if isinstance(asked, str) else asked.sql
    conditions = () if isinstance(asked, str) else asked.conditions
    if as_json:
        rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        answer = Answer(
            sql=sql,
            columns=found.columns,
            rows=tuple(rows),
            cut=found.cut,
            conditions=conditions,
        )
        show_json(answer)
        return
    if conditions:
        say(f"Asked for: {' and '.join(map(_in_words, conditions))}")
    _print(found.columns, found.rows)
    if found.cut:
        say(
            f"There are more than these {len(found.rows)} rows: narrow the query, or raise --limit."
        )


def _show_columns(known: Columns, as_json: bool) -> None:
    if as_json:
        show_json(known)
        return
    headers = [
        (one.header, ", ".join(one.units), one.values, one.documents, one.least, one.greatest)
        for one in known.columns
    ]
    _print(("column", "units", "values", "documents", "from", "to"), headers)
    documents = [
        (one.document, one.product, one.pages, one.tables, one.values) for one in known.documents
    ]
    _print(("document", "product", "pages", "tables", "values"), documents)
    if known.cut:
        say("There are more: ask for them with a SELECT.")


def _print(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*[Column(header=cell(name)) for name in columns])
    for row in rows:
        table.add_row(*[cell(_in_a_cell(value)) for value in row])
    Console().print(table)


def _in_a_cell(value: Any) -> str:
    """A value as people read it; cells of a row by their headers."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "; ".join(map(_in_a_cell, value))
    if isinstance(value, dict) and value.keys() >= {"header", "text"}:
        return f"{value['header']}: {value['text']}" if value["header"] else str(value["text"])
    return str(value)


def _in_words(condition: Condition) -> str:
    said = f"{condition.header} {condition.op} {condition.value} {condition.unit}"
    return said.strip()
