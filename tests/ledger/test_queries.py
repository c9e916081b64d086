"""How the database does what the ledger asks of it: at ten million assets nothing may read a whole
table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.records.commit import Writing
from mmsearch_core.records.ids import BatchId, Build, ProductId, TargetId
from mmsearch_core.records.report import Failure
from tests.contracts.test_ledger import TARGET, T, asset, begin, made, product

SMALL = ("targets", "feeds")  # a handful of rows
NAMES = [asset(str(number)).asset_id for number in range(3)]
WRITINGS = [
    Writing(
        asset=asset(str(number)), build=Build("b"), product_text="t", observed_at=datetime.now(UTC)
    )
    for number in range(3)
]
FAILURE = Failure(record_id=NAMES[0], stage="decode", kind="UnreadableMedia", message="Damaged.")
LEASE = f"index:{T}"


def token(ledger: SqlLedger) -> int:
    return ledger.take_lease(LEASE, holder="me", seconds=60)


ACTIONS: dict[str, Callable[[SqlLedger], object]] = {
    "take_lease": token,
    "give_lease": lambda ledger: ledger.give_lease(LEASE, holder="me"),
    "begin": lambda ledger: ledger.begin(T, WRITINGS, token=token(ledger)),
    "commit": lambda ledger: ledger.commit(
        T, {NAMES[0]: made("b"), NAMES[1]: made("b", failure=FAILURE)}, token=token(ledger)
    ),
    "settle": lambda ledger: ledger.settle(
        T, dict.fromkeys(NAMES, Build("b")), token=token(ledger)
    ),
    "doubt": lambda ledger: ledger.doubt(T, [writing.asset for writing in WRITINGS]),
    "fail": lambda ledger: ledger.fail(T, {NAMES[0]: (WRITINGS[0], FAILURE)}, token=token(ledger)),
    "look_up": lambda ledger: ledger.look_up(T, NAMES),
    "known": lambda ledger: list(ledger.known(T, prefix="pictures/")),
    "counts": lambda ledger: ledger.counts(T)["live"],
    "wait_for_product": lambda ledger: ledger.wait_for_product(T, [asset("9")]),
    "put_products": lambda ledger: ledger.put_products(
        begin(ledger, "v"), [product("p")], gone=[ProductId("q")]
    ),
    "end_feed": lambda ledger: ledger.end_feed(begin(ledger, "v")),
    "assets_of_products": lambda ledger: ledger.assets_of_products(T, [ProductId("p")]),
    "products": lambda ledger: ledger.products([ProductId("p")]),
    "product_texts": lambda ledger: list(ledger.product_texts()),
    "open_batch": lambda ledger: ledger.open_batch(BatchId("b"), target=T, source="test"),
    "open_batches": lambda ledger: ledger.open_batches(T),
    "supersede_batches": lambda ledger: ledger.supersede_batches([BatchId("c")]),
    "unfinished_batches": lambda ledger: ledger.unfinished_batches(T),
    "batch_status": lambda ledger: ledger.batch_status(BatchId("b")),
    "close_batch": lambda ledger: ledger.close_batch(BatchId("b"), status="done", counts={}),
    "redrivable": lambda ledger: ledger.redrivable(
        T, attempts=3, kinds=["UnreadableMedia"], limit=10
    ),
    "set_redriven": lambda ledger: ledger.set_redriven(T, NAMES),
    "parked": lambda ledger: ledger.parked(T, attempts=3),
    "built_columns": lambda ledger: list(ledger.built_columns(T, NAMES)),
    "raise_token": lambda ledger: ledger.raise_token(LEASE, 5),
    "failures": lambda ledger: ledger.failures(T, limit=10),
    "commit_number": lambda ledger: ledger.commit_number(TargetId("t")),
    "forget": lambda ledger: ledger.forget(T, NAMES, token=token(ledger)),
}


@pytest.fixture
def ledger(database: str) -> SqlLedger:
    """A ledger of each engine that knows a few assets."""
    made = SqlLedger(database)
    made.add_target(TARGET)
    ACTIONS["begin"](made)
    return made


@contextmanager
def asked(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are executed meanwhile, with their parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        statements.append((statement, parameters[0] if many else parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def plan(engine: Engine, statement: str, parameters: Any) -> list[str]:
    """How the engine would do it. PostgreSQL may read a table of three rows whole, so it is told to
    do so only where there is no other way."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return [row[3] for row in rows]
        connection.exec_driver_sql("SET enable_seqscan = off")
        return [
            row[0].strip() for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        ]


def whole(step: str) -> bool:
    """Whether the step reads a whole table that is not small."""
    scan = (step.startswith("SCAN ") and "USING" not in step) or "Seq Scan on" in step
    return scan and not any(name in step for name in SMALL)


@pytest.mark.parametrize("action", ACTIONS)
def test_no_statement_reads_a_whole_table(ledger: SqlLedger, action: str) -> None:
    engine = ledger._database._engine
    with asked(engine) as statements:
        ACTIONS[action](ledger)
    sent = [
        (s, p) for s, p in statements if s.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT")
    ]
    assert sent
    steps = {statement: plan(engine, statement, parameters) for statement, parameters in sent}
    assert [
        (statement, step) for statement, found in steps.items() for step in found if whole(step)
    ] == []


def test_a_whole_read_is_noticed(ledger: SqlLedger) -> None:
    """Else the test above could not fail."""
    engine = ledger._database._engine
    assert any(map(whole, plan(engine, "SELECT * FROM assets WHERE source_version = 'v'", ())))


def test_a_batch_is_a_few_statements_however_large(ledger: SqlLedger) -> None:
    """500 assets to a statement."""
    writings = [
        Writing(
            asset=asset(f"x{number}"),
            build=Build("b"),
            product_text="t",
            observed_at=datetime.now(UTC),
        )
        for number in range(1000)
    ]
    held = token(ledger)
    with asked(ledger._database._engine) as statements:
        ledger.begin(T, writings, token=held)
        ledger.commit(T, {writing.asset.asset_id: made("b") for writing in writings}, token=held)
        ledger.look_up(T, [writing.asset.asset_id for writing in writings])
    assert len(statements) < 20
