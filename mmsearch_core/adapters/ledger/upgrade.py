"""The version of the ledger's tables, and how older ones are brought up to date.

An empty database gets its tables from whoever comes first. An older SQLite file is upgraded at
once: it belongs to one machine, whose code was changed. An older PostgreSQL is left alone until
``mmsearch ledger upgrade``: other machines may still run the code that the old tables fit. A newer
ledger is never touched.
"""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from mmsearch_core.adapters.ledger.schema import VERSION_TABLE
from mmsearch_core.errors import SchemaMismatch

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_146_025_183  # any number of ours: PostgreSQL's advisory locks are numbers


@cache
def newest() -> str:
    """The newest revision, by the names of the files: Alembic would say the same, and its import
    takes as long as a whole task's start."""
    return max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("r*.py"))


def make_ready(engine: Engine) -> None:
    """Tables of today's version, or SchemaMismatch."""
    with engine.connect() as connection:
        there = version(connection)
    if there == newest():
        return
    if there is None or engine.dialect.name == "sqlite":
        upgrade(engine)
    else:
        _refuse_newer(there)
        raise SchemaMismatch(
            f"The ledger is of version {there}, this mmsearch needs {newest()}: "
            "stop what uses the ledger, then run `mmsearch ledger upgrade`."
        )


def upgrade(engine: Engine) -> bool:
    """Bring the tables up to date in one transaction, alone; whether there was anything to do."""
    with engine.connect() as connection, connection.execution_options(writing=True).begin():
        if (
            engine.dialect.name == "postgresql"
        ):  # SQLite's writing transactions are alone by themselves
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        there = version(connection)
        if there == newest():
            return False
        _refuse_newer(there)
        _migrate(connection, there)
        return True


def version(connection: Connection) -> str | None:
    """The revision of the tables that are there; None where there are none."""
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE in names:
        revision = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant
        return str(connection.execute(revision).scalar_one())
    # the first tables named their version in "meta"
    return "0001" if {"meta", "assets"} <= names else None


def _refuse_newer(there: str | None) -> None:
    if there is not None and int(there) > int(newest()):
        raise SchemaMismatch(
            f"The ledger is of version {there}, this mmsearch knows {newest()}: "
            "install the mmsearch that made it, or point ledger.url at a new one."
        )


def _migrate(connection: Connection, there: str | None) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    if there is not None and not inspect(connection).has_table(VERSION_TABLE):
        command.stamp(config, there)
    command.upgrade(config, "head")
