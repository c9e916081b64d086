"""A person is asked where the report of a task says so, and only there: who is asked always reads
nothing."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context


class ReportApproval(ApprovalOperator):  # type: ignore[misc]
    """Wait for a person if the report of a task before says `ask`; else go on at once. No answer in
    time means no.

    :param report_of: the task; its report has `ask` (true or false) and `table` (Markdown, shown to
        the person).
    """

    def __init__(self, *, report_of: str, **kwargs: Any) -> None:
        super().__init__(
            body="{{ ti.xcom_pull(task_ids='" + report_of + "', key='report')['table'] }}",
            defaults=self.REJECT,
            response_timeout=timedelta(hours=20),
            execution_timeout=None,  # it limits the work, not the waiting, and there is none
            **kwargs,
        )
        self.report_of = report_of

    def execute(self, context: Context) -> Any:
        """Ask, or go on at once."""
        report = context["ti"].xcom_pull(task_ids=self.report_of, key="report")
        if report["ask"]:
            return super().execute(context)
        self.log.info(
            "Nobody has to be asked: %s.", report.get("why") or "everything is within its limits"
        )
        return None


def approved(task_id: str) -> str:
    """A template that says 1 where a person answered the approval with yes, and 0 where nobody was
    asked."""
    answer = "(ti.xcom_pull(task_ids='" + task_id + "') or {})"
    return f"{{{{ 1 if {answer}.get('chosen_options') == ['{ReportApproval.APPROVE}'] else 0 }}}}"
