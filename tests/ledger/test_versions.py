"""Ledgers that another mmsearch made."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

from mmsearch_core.adapters.ledger.schema import VERSION_TABLE, tables
from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.adapters.ledger.upgrade import MIGRATIONS, newest, version
from mmsearch_core.errors import BadSettings, SchemaMismatch
from mmsearch_core.records.ids import TargetId

FIRST = TargetId("of-the-first-version")


def migrated_to(url: str, revision: str) -> Engine:
    """What Alembic alone makes of an empty database."""
    from alembic import command

    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


def made_by_the_first(url: str) -> Engine:
    """As version 0.1 left it: no table of Alembic's, and something in it."""
    engine = migrated_to(url, "0001")
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
        connection.execute(text("INSERT INTO meta VALUES ('schema', '1')"))
        row = "'b', :target, 'test', 'open', '{}', '2026-11-23 02:00:00'"
        columns = "batch_id, target_id, source, status, counts, opened_at"
        connection.execute(
            text(f"INSERT INTO batches ({columns}) VALUES ({row})"), {"target": FIRST}
        )
    return engine


def test_the_named_revision_is_the_newest_file() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [newest()]


def test_migrated_tables_are_the_tables_of_the_code(database: str) -> None:
    SqlLedger(database).targets()
    with create_engine(database).connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), tables) == []


def test_a_ledger_of_the_first_version_is_upgraded_and_keeps_what_it_knows(database: str) -> None:
    """A file at once; a database that others may share by the command that the sentence names."""
    engine = made_by_the_first(database)
    if engine.dialect.name == "postgresql":
        with pytest.raises(SchemaMismatch, match=r"version 0001.*`mmsearch ledger upgrade`"):
            SqlLedger(database).targets()
        assert SqlLedger(database).upgrade()
    assert SqlLedger(database).open_batches(FIRST) == 1
    assert not SqlLedger(database).upgrade()
    test_migrated_tables_are_the_tables_of_the_code(database)


def test_the_recipes_of_an_older_target_are_those_of_its_pictures(database: str) -> None:
    engine = migrated_to(database, "0003")
    values = """'t', 'c', 'u', '{"decode": "d1", "describe": "d2"}', 'live', 0, :now"""
    columns = "target_id, collection, collection_uuid, recipes, status, commit_number, created_at"
    with engine.begin() as connection:
        connection.execute(
            text(f"INSERT INTO targets ({columns}) VALUES ({values})"), {"now": datetime.now(UTC)}
        )
    SqlLedger(database).upgrade()
    (target,) = SqlLedger(database).targets()
    assert target.recipes == {"picture": {"decode": "d1", "describe": "d2"}}


def test_a_newer_ledger_is_refused_and_left_alone(database: str) -> None:
    engine = migrated_to(database, "head")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
    for act in (SqlLedger(database).targets, SqlLedger(database).upgrade):
        with pytest.raises(SchemaMismatch, match="version 0999"):
            act()
    with engine.connect() as connection:
        assert version(connection) == "0999"


@pytest.mark.integration  # starts processes
def test_processes_that_start_at_once_migrate_once(database: str) -> None:
    """Each opens a batch of its own in a ledger that all of them find old."""
    engine = made_by_the_first(database)
    code = (
        "import sys; from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger; ledger ="
        " SqlLedger(sys.argv[1]);sys.stdin.readline(); ledger.upgrade();"
        " ledger.open_batch(sys.argv[2], target='t', source='test')"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, database, f"b{number}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    said = [process.communicate("go\n")[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    assert SqlLedger(database).open_batches(TargetId("t")) == 4
    with engine.connect() as connection:
        assert version(connection) == newest()


@pytest.mark.integration  # starts processes
def test_the_command_upgrades_and_says_so(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made_by_the_first(database)
    monkeypatch.setenv("MMSEARCH_LEDGER__URL", database)
    for expected in ("up to date now", "up to date already"):
        command = [sys.executable, "-m", "mmsearch_core.cli", "ledger", "upgrade"]
        assert (
            expected in subprocess.run(command, capture_output=True, text=True, check=True).stdout
        )


def test_a_wrong_address_names_the_setting() -> None:
    """Exit 78."""
    for url in ("sqlite:////no/such/folder/ledger.db", "nonsense", "oracle+nothing://x"):
        with pytest.raises(BadSettings, match=r"ledger\.url"):
            SqlLedger(url).targets()
