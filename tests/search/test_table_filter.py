"""A request in words becomes conditions on columns that there are, or a sentence."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mmsearch_core.errors import BadRecord, BadSettings, StageMissing, UnusableAnswer
from mmsearch_core.parquet import dump
from mmsearch_core.records.cell import TableCell
from mmsearch_core.records.question import Answer, Question
from mmsearch_core.records.table_filter import Condition
from mmsearch_core.search.table_columns import Column, columns_of
from mmsearch_core.search.table_filter import filter_of, query_of
from mmsearch_core.search.table_sql import TableSql
from mmsearch_core.testing.fake_models import FakeVisionLanguageModel
from tests.search.test_table_sql import chart

COLUMNS = [
    Column(header=header, units=(), values=1, documents=1, least=None, greatest=None)
    for header in ("Size", "Body / Waist (cm)", "Body / waist", "Inseam")
]


class Saying(FakeVisionLanguageModel):
    """Answers with what it was given, and keeps the question."""

    def __init__(self, answer: str | BadRecord) -> None:
        super().__init__()
        self._said = Answer(text=answer) if isinstance(answer, str) else answer
        self.asked: list[Question] = []

    def answer(self, questions: Sequence[Question]) -> list[Answer | BadRecord]:
        self.asked += questions
        return [self._said for _ in questions]


def condition(header: str, op: str = ">=", value: str = "80", unit: str = "") -> Condition:
    return Condition(header=header, op=op, value=value, unit=unit)  # type: ignore[arg-type]


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[TableSql]:
    """Waists in centimetres, in millimetres and in inches."""
    path = tmp_path / "cells.parquet"
    cells = [
        *chart("a", "68", "76", "84"),
        *chart("b", "700", "820", unit="mm"),
        *chart("c", "30", "33", unit="inch"),
    ]
    path.write_bytes(dump(cells, TableCell))
    with TableSql(path) as made:
        yield made


def rows(tables: TableSql, *conditions: Condition) -> list[tuple[str, int]]:
    """Document and row of what meets the conditions."""
    query = query_of(conditions, columns_of(tables).columns)
    found = tables.ask(query.sql, query.parameters, limit=50)
    place = found.columns.index("document"), found.columns.index("row_number")
    return [(row[place[0]][-5], row[place[1]]) for row in found.rows]


def test_lengths_are_compared_whatever_their_unit(tables: TableSql) -> None:
    assert rows(tables, condition("waist", unit="cm")) == [("a", 3), ("b", 2), ("c", 2)]
    assert rows(tables, condition("waist", "<", "700", "mm")) == [("a", 1)]
    assert rows(tables, condition("waist", "=", "33", "inch")) == [("c", 2)]
    assert rows(tables, condition("waist", "=", "0.82", "m")) == [("b", 2)]


def test_without_a_unit_numbers_alone_are_compared(tables: TableSql) -> None:
    assert rows(tables, condition("waist", ">", "100")) == [("b", 1), ("b", 2)]


def test_a_row_has_to_meet_all_conditions(tables: TableSql) -> None:
    both = (condition("waist", unit="cm"), condition("size", "=", "l"))
    assert rows(tables, *both) == [("a", 3)]
    assert rows(tables, condition("Size", "contains", "m"), both[0]) == [("b", 2), ("c", 2)]


def test_another_unit_is_compared_by_its_name(tables: TableSql) -> None:
    assert rows(tables, condition("waist", unit="kg")) == []


def test_values_never_become_sql(tables: TableSql) -> None:
    assert rows(tables, condition("size", "=", "' OR 1=1 --")) == []
    assert rows(tables, condition("size", "contains", "%")) == []


def test_a_header_that_is_nearly_right_is_the_known_one() -> None:
    query = query_of([condition("waists")], COLUMNS)
    assert query.conditions[0].header == "Waist (cm)"
    assert query.parameters[0] == ["Waist (cm)", "waist"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (condition("price"), "No table has a column called “price”: mmsearch tables --columns"),
        (condition("waist", value="wide"), "“wide” is no number"),
        (condition("waist", value="nan"), "“nan” is no number"),
    ],
)
def test_what_no_table_can_answer_is_refused_in_one_sentence(wrong: Condition, said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        query_of([wrong], COLUMNS)


def test_the_model_is_told_the_columns_and_the_request() -> None:
    said = {"conditions": [{"header": "waist", "op": ">=", "value": "80", "unit": "cm"}]}
    model = Saying(json.dumps(said))
    found = filter_of("size chart: waist at least 80 cm", COLUMNS, model)
    assert found.conditions == (condition("Waist (cm)", unit="cm"),)
    (asked,) = model.asked
    assert asked.text.endswith("Request: size chart: waist at least 80 cm")
    assert "Columns: Size, Body, Waist (cm), waist, Inseam" in asked.text
    assert asked.schema


@pytest.mark.parametrize(
    "answer",
    [
        "no JSON",
        "{}",
        '{"conditions": []}',
        '{"conditions": [{"header": "waist", "op": "LIKE", "value": "1", "unit": ""}]}',
        '{"conditions": [{"header": "waist", "op": "=", "value": "1", "unit": "", "sql": "1"}]}',
        UnusableAnswer("The model gave up."),
    ],
)
def test_an_answer_that_does_not_fit_is_told_in_one_sentence(answer: str | BadRecord) -> None:
    with pytest.raises(BadSettings, match="could not turn the request into conditions"):
        filter_of("waist", COLUMNS, Saying(answer))


def test_without_tables_nobody_is_asked() -> None:
    model = Saying("{}")
    with pytest.raises(StageMissing, match="No document has a table yet"):
        filter_of("waist", [], model)
    assert model.asked == []
