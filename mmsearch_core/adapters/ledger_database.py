"""How the ledger speaks to its database: connecting, transactions, upserts, and whose fault an error is."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mmsearch_core.adapters.ledger_schema import SCHEMA_VERSION, meta, tables
from mmsearch_core.errors import BadSettings, LedgerAway, SchemaMismatch

T = TypeVar("T")

PIECE = 500  # values in one IN list
PATIENCE = 30  # seconds to wait for SQLite's one writer


def pieces(things: Sequence[T]) -> Iterator[Sequence[T]]:
    """``things`` in pieces that fit a statement."""
    for start in range(0, len(things), PIECE):
        yield things[start : start + PIECE]


class LedgerDatabase:
    """An engine made on first use; an empty database gets the tables."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads."""
        with self._named_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction; on SQLite it takes the write lock at its start, so that reads in it stay true."""
        with self._named_errors(), self._engine.connect() as connection:
            connection = connection.execution_options(writing=True)
            with connection.begin():
                yield connection

    def upsert(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], keep: Sequence[str] = ()
    ) -> None:
        """Insert, or replace the given columns; those in ``keep`` stay as they are in rows that exist."""
        if not rows:
            return
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        keys = [column.name for column in table.primary_key]
        statement = dialect.insert(table)
        replaced = {name: statement.excluded[name] for name in rows[0] if name not in (*keys, *keep)}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=replaced), [dict(r) for r in rows])

    @cached_property
    def _engine(self) -> Engine:
        try:
            engine = create_engine(self._url)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise BadSettings(f"ledger.url is not a database that can be opened ({error}): correct it.") from error
        if engine.dialect.name == "sqlite":
            _configure_sqlite(engine)
        with engine.connect() as connection, connection.execution_options(writing=True).begin():
            tables.create_all(connection)
            version = connection.execute(select(meta.c.value).where(meta.c.name == "schema")).scalar()
            if version is None:
                connection.execute(insert(meta).values(name="schema", value=str(SCHEMA_VERSION)))
            elif version != str(SCHEMA_VERSION):
                raise SchemaMismatch(
                    f"The ledger is of schema {version}, this mmsearch knows {SCHEMA_VERSION}: "
                    "run the mmsearch that made it, or point ledger.url at a new one."
                )
        return engine

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """The one place where errors of the database become ours."""
        try:
            yield
        except IntegrityError:
            raise
        except (OperationalError, PoolTimeout) as error:
            if "authentication" in str(error) or "unable to open database file" in str(error):
                raise BadSettings(
                    f"The ledger's database refuses ({_first_line(error)}): correct ledger.url."
                ) from error
            raise LedgerAway(
                f"The ledger's database does not answer ({_first_line(error)}): try again later."
            ) from error
        except ProgrammingError as error:
            raise SchemaMismatch(
                f"The ledger's tables are not ours ({_first_line(error)}): correct ledger.url."
            ) from error
        except DBAPIError as error:
            raise LedgerAway(f"The ledger's database failed ({_first_line(error)}): try again later.") from error


def _configure_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
