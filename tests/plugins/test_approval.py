"""A person is asked only where a report says so, and what they answered reaches the next task as 0
or 1."""

from typing import Any

import pytest
from jinja2 import Environment
from mmsearch_airflow import ReportApproval, approved


class Pulled:
    """A task instance that knows these XComs, by task and key."""

    def __init__(self, **reports: Any) -> None:
        self._reports = reports

    def xcom_pull(self, *, task_ids: str, key: str = "return_value") -> Any:
        return self._reports.get(task_ids) if key == "return_value" else self._reports[key]


def test_nobody_is_asked_where_the_report_does_not_ask() -> None:
    approval = ReportApproval(task_id="approve", report_of="gates", subject="?")
    assert approval.execute({"ti": Pulled(report={"ask": False, "why": []})}) is None


def test_who_is_asked_sees_the_table_of_the_report() -> None:
    approval = ReportApproval(task_id="approve", report_of="gates", subject="?")
    body = Environment(autoescape=False).from_string(approval.body)
    assert body.render(ti=Pulled(report={"table": "| gone | 15 of 16 |"})) == "| gone | 15 of 16 |"


@pytest.mark.parametrize(
    ("answer", "says"),
    [(None, "0"), ({"chosen_options": ["Reject"]}, "0"), ({"chosen_options": ["Approve"]}, "1")],
)
def test_only_a_yes_counts_as_approved(answer: Any, says: str) -> None:
    template = Environment(autoescape=False).from_string(approved("approve"))
    assert template.render(ti=Pulled(approve=answer)) == says
