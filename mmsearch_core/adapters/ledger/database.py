"""How the ledger speaks to its database: connecting, transactions, upserts, and whose fault an
error is."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, wraps
from typing import Any, ParamSpec, TypeVar

from more_itertools import chunked
from sqlalchemy import Connection, Engine, Table, create_engine, event
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

from mmsearch_core.adapters.ledger.upgrade import make_ready, upgrade
from mmsearch_core.errors import BadSettings, LedgerAway, SchemaMismatch
from mmsearch_core.safe_text import redacted

T = TypeVar("T")
P = ParamSpec("P")

PIECE = 500  # values in one IN list
TRIES = 3  # of a transaction that met another's locks
CONFLICTS = ("40P01", "40001")  # SQLSTATE: deadlock detected, serialization failure
PATIENCE = 30  # seconds to wait for SQLite's one writer
# that a process may pause within a transaction before PostgreSQL takes it back: a process that was
# frozen must not hold its locks for ever
IDLE_SECONDS = 600
REFUSALS = ("authentication", "does not exist", "unable to open database file")


class Conflict(LedgerAway):
    """Two transactions waited for each other, and this one was given up by the database."""


def again_after_conflict(method: Callable[P, T]) -> Callable[P, T]:
    """Decorator of a method that is one transaction: it is done again where another's locks were in
    its way. All of ours lock assets in one order, so that takes a statement that is not ours."""

    @wraps(method)
    def tried(*args: P.args, **options: P.kwargs) -> T:
        for _ in range(TRIES - 1):
            try:
                return method(*args, **options)
            except Conflict:
                time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 no secret
        return method(*args, **options)

    return tried


def pieces(things: Iterable[T]) -> Iterator[list[T]]:
    """``things`` in lists that fit a statement."""
    return chunked(things, PIECE)


class LedgerDatabase:
    """An engine made on first use, which sees to the tables."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads."""
        with self._named_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction; on SQLite it takes the write lock at its start, so that reads in it stay
        true."""
        with self._named_errors(), self._engine.connect() as connection:
            connection = connection.execution_options(writing=True)
            with connection.begin():
                yield connection

    def upsert(
        self,
        connection: Connection,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        keep: Sequence[str] = (),
        computed: Callable[[Any], Mapping[str, Any]] = lambda _: {},
    ) -> None:
        """Insert, or replace the given columns; those in ``keep`` stay as they are in rows that
        exist, and others become what ``computed`` makes of the new row's columns."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        statement = _insert(connection, table)
        replaced = {
            name: statement.excluded[name] for name in rows[0] if name not in (*keys, *keep)
        }
        replaced |= computed(statement.excluded)
        connection.execute(
            statement.on_conflict_do_update(index_elements=keys, set_=replaced),
            [dict(r) for r in rows],
        )

    def insert_new(self, connection: Connection, table: Table, *rows: Mapping[str, Any]) -> None:
        """Insert those whose keys are not there; two processes may try at once."""
        if rows:
            connection.execute(
                _insert(connection, table).on_conflict_do_nothing(), [dict(row) for row in rows]
            )

    def upgrade(self) -> bool:
        """Bring the tables up to date; whether there was anything to do."""
        with self._named_errors():
            return upgrade(self._connected)

    @cached_property
    def _engine(self) -> Engine:
        make_ready(self._connected)
        return self._connected

    @cached_property
    def _connected(self) -> Engine:
        try:
            engine = create_engine(self._url, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise BadSettings(
                f"ledger.url is not a database that can be opened ({redacted(str(error))}):"
                " correct it."
            ) from error
        except ValueError:  # of a port that is no number; its text may hold a part of a password
            raise BadSettings("ledger.url is not the address of a database: correct it.") from None
        if engine.dialect.name == "sqlite":
            _configure_sqlite(engine)
        elif engine.dialect.name == "postgresql":
            _configure_postgresql(engine)
        return engine

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """The one place where errors of the database become ours."""
        try:
            yield
        except IntegrityError:
            raise
        except (OperationalError, PoolTimeout) as error:
            if any(word in str(error) for word in REFUSALS):
                raise BadSettings(
                    f"The ledger's database refuses ({_first_line(error)}): correct ledger.url."
                ) from error
            state = getattr(getattr(error, "orig", None), "sqlstate", None)
            kind = Conflict if state in CONFLICTS else LedgerAway
            raise kind(
                f"The ledger's database does not answer ({_first_line(error)}): try again later."
            ) from error
        except ProgrammingError as error:
            raise SchemaMismatch(
                f"The ledger's tables are not ours ({_first_line(error)}): correct ledger.url."
            ) from error
        except DBAPIError as error:
            raise LedgerAway(
                f"The ledger's database failed ({_first_line(error)}): try again later."
            ) from error


def _insert(connection: Connection, table: Table) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


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


def _configure_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.autocommit = True  # the setting is the session's, not a transaction's
        connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_SECONDS * 1000}")
        connection.autocommit = False


def _first_line(error: Exception) -> str:
    return redacted(str(getattr(error, "orig", None) or error).splitlines()[0])
