"""A person is asked where an estimate is over its budget, and only there: who is asked always reads nothing."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context


class BudgetApproval(ApprovalOperator):  # type: ignore[misc]
    """Wait for a person if the report of the task before says `ask`. No answer in time means no.

    :param estimate: the task whose report is shown.
    """

    def __init__(self, *, estimate: str, **kwargs: Any) -> None:
        super().__init__(
            body="{{ ti.xcom_pull(task_ids='" + estimate + "', key='report')['table'] }}",
            defaults=self.REJECT,
            response_timeout=timedelta(hours=20),
            execution_timeout=None,  # it limits the work, not the waiting, and there is none
            **kwargs,
        )
        self.estimate = estimate

    def execute(self, context: Context) -> Any:
        """Ask, or go on at once."""
        report = context["ti"].xcom_pull(task_ids=self.estimate, key="report")
        if report["ask"]:
            return super().execute(context)
        self.log.info("%s minutes are within the budget of %s.", report["minutes"], report["budget_minutes"])
        return None
