"""The one operator of mmsearch: a task is a stage, a stage is a command, and its exit code says
what happens next."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Asset, BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from mmsearch_airflow.launcher import Child, Launcher

TRY_AGAIN: type[Exception] = AirflowException
GIVE_UP: type[Exception] = AirflowFailException
# What each exit code means to Airflow. One that is not here is a bug of the stage, and a retry
# would meet it again.
OUTCOMES: Mapping[int, type[Exception]] = {
    75: TRY_AGAIN,  # something that the stage needs is away
    78: GIVE_UP,  # a person must act
    1: GIVE_UP,  # a bug
    2: GIVE_UP,  # a wrong command line
}


def outcome(code: int) -> type[Exception] | None:
    """The exception for an exit code; None when done. A signal (-9, or 137 from a shell) asks for
    another try."""
    if code == 0:
        return None
    return TRY_AGAIN if code < 0 or code > 128 else OUTCOMES.get(code, GIVE_UP)


class StageOperator(BaseOperator):  # type: ignore[misc]
    """Run `python -m tasks.<stage> <arguments>` and hand its report on.

    :param stage: the stage; also the task's id.
    :param arguments: its arguments; templated.
    :param returns: the field of the report that the task returns, which tasks can be mapped over.
        The whole report is the XCom `report`.
    :param partitions: the asset that gets one partition for each key in the returned list. An empty
        list skips the task, since a task that succeeds always touches its assets.
    """

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#dbeafe"

    def __init__(
        self,
        *,
        stage: str,
        arguments: Sequence[str] = (),
        returns: str | None = None,
        partitions: Asset | None = None,
        task_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        outlets = [*kwargs.pop("outlets", ()), *([partitions] if partitions else ())]
        super().__init__(task_id=task_id or stage, outlets=outlets, **kwargs)
        self.stage = stage
        self.arguments = arguments
        self.returns = returns
        self.partitions = partitions
        self._child: Child | None = None

    def execute(self, context: Context) -> Any:
        """Run the stage to its end."""
        report = self._run()
        context["ti"].xcom_push(key="report", value=report)
        if page := report.get("page"):
            self.log.info("The page of this run: %s", page)
        if self.returns is None:
            return None
        if self.returns not in report:
            raise AirflowFailException(f"The report of {self.stage} has no field {self.returns!r}.")
        value = report[self.returns]
        if self.partitions is not None:
            if not value:
                raise AirflowSkipException("Nothing changed.")
            context["outlet_events"][self.partitions].add_partitions(value)
        return value

    def on_kill(self) -> None:
        """End the stage with everything that it started."""
        if self._child is not None:
            self._child.end()

    def _run(self) -> dict[str, Any]:
        """The stage's report, its output in the log on the way; or the exception that its exit code
        stands for."""
        last = {"stdout": "", "stderr": ""}
        self._child = Launcher.from_environment().start(self.stage, self.arguments)
        try:
            for stream, line in self._child.lines():
                self.log.info("%s", line)
                last[stream] = line if line.strip() else last[stream]
            code = self._child.wait()
        finally:
            self._child.end()
        if error := outcome(code):
            how = f"signal {-code} ended it" if code < 0 else f"exit code {code}"
            raise error(f"{self.stage}: {last['stderr'].strip() or 'no word about why'} ({how})")
        return self._parsed(last["stdout"])

    def _parsed(self, line: str) -> dict[str, Any]:
        try:
            report = json.loads(line)
        except ValueError:
            report = None
        if not isinstance(report, dict):
            raise AirflowFailException(
                f"{self.stage} ended well, yet its last line is no report: {line[:200]!r}."
            )
        return report
