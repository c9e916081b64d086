"""SQL over the cells of tables, by whoever may type it: in a child process that can open no file,
reach no network, change no setting and take only so much time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pebble import ProcessExpired

from mmsearch_core.confined import ConfinedPool
from mmsearch_core.errors import BadSettings

if TYPE_CHECKING:
    import duckdb

MODULES = (__name__, "duckdb", "pyarrow")  # what a query imports
SECONDS = 20.0  # that a query may take
MEMORY = 1_000 * 1024**2  # bytes of address space that it may take
SPILLED = "512MB"  # of that for DuckDB's tables and sorting; nothing goes to a disk
LONGEST = 2_000  # characters of a value that is shown
SLOW = f"The query takes longer than {SECONDS:g} seconds: ask for less, or narrow it by a WHERE."
LARGE = "The query needs too much memory: ask for less, or narrow it by a WHERE."
LOCKED = {
    "memory_limit": SPILLED,
    "threads": "1",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # a name in a query is no variable of ours
}
# one row per row of a table, with its cells in their order
ROWS = """
CREATE VIEW table_rows AS
SELECT product, document, asset, build, page, table_number, row_number, any_value(label) AS label,
  list({'header': array_to_string(header, ' / '), 'text': text, 'number': number, 'unit': unit}
       ORDER BY column_number) AS cells
FROM cells GROUP BY ALL
"""

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The rows that a query found, or the first of them (``cut``)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool


class TableSql:
    """Answers queries over a file of cells, as a context manager."""

    def __init__(self, file: Path, *, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        """``file`` is what ``cells.write_current_cells`` wrote."""
        self._file, self._seconds = file, seconds
        self._pool = ConfinedPool(processes=1, memory=memory, modules=MODULES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.end()

    def ask(self, sql: str, parameters: Sequence[Any] = (), *, limit: int) -> Found:
        """At most ``limit`` rows; BadSettings says in one sentence what is wrong with the query."""
        future = self._pool.start(
            answer, self._file, sql, list(parameters), limit, seconds=self._seconds
        )
        try:
            found = future.result()
        except TimeoutError:
            raise BadSettings(SLOW) from None
        except (ProcessExpired, BrokenProcessPool, MemoryError):
            raise BadSettings(LARGE) from None
        if isinstance(found, str):
            raise BadSettings(found)
        return found


def answer(file: Path, sql: str, parameters: Sequence[Any], limit: int) -> Found | str:
    """In the child: the rows, or a sentence that says why there are none."""
    import duckdb

    with duckdb.connect(config=dict(LOCKED)) as database:
        database.execute("CREATE TABLE cells AS SELECT * FROM read_parquet(?)", [str(file)])
        database.execute(ROWS)
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        database.execute("BEGIN TRANSACTION READ ONLY")  # a SELECT may have a DELETE in it
        try:
            return _selected(database, sql, parameters, limit)
        except (duckdb.OutOfMemoryException, MemoryError):
            return LARGE
        except duckdb.PermissionException:
            return "A query reads the tables that mmsearch knows and nothing else: no files."
        except duckdb.Error as error:
            return f"The query cannot be answered: {_sentence(str(error))}"


def _selected(
    database: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any], limit: int
) -> Found | str:
    import duckdb

    statements = database.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        return "Give one SELECT: nothing else is done here."
    database.execute(statements[0], list(parameters))
    columns = tuple(column[0] for column in database.description or ())
    rows = database.fetchmany(limit + 1)
    shown = [tuple(map(_plain, row)) for row in rows[:limit]]
    return Found(columns=columns, rows=tuple(shown), cut=len(rows) > limit)


def _plain(value: Any) -> Value:
    """A value as JSON has it, texts of bounded length."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return str(value)[:LONGEST]


def _sentence(message: str) -> str:
    """The first line of what DuckDB says, without the name of its error."""
    first = next((line for line in message.splitlines() if line.strip()), "it is not understood")
    _, _, rest = first.partition("Error: ")
    return (rest or first).strip().rstrip(".") + "."
