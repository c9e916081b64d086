"""The shared command line of all tasks: arguments, logs, exit codes, the one JSON line."""

import inspect
import logging
import re
import signal
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import structlog
import typer
from pydantic import BaseModel, SecretStr

from mmsearch_core.codec import to_json_value
from mmsearch_core.errors import MMSearchError, TryLater
from mmsearch_core.layout import manifest_key, plan_key
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.report import ShardDone, TaskReport
from mmsearch_core.safe_text import printable, to_json_text
from mmsearch_core.settings import load_settings
from mmsearch_core.shards import task_errors
from mmsearch_core.shards.loop import run_stage
from mmsearch_core.shards.shard import Shard
from mmsearch_core.wiring.batches import Runtime

DONE, BUG, TRY_LATER, STOP = 0, 1, 75, 78  # 75 and 78 as in sysexits.h: EX_TEMPFAIL, EX_CONFIG
BATCH = re.compile(r"runs/[\w.-]+")
SHARD = re.compile(r"runs/[\w.-]+/shards/\d+")
# what the arguments of tasks are called on the command line
BatchName = Annotated[str, typer.Argument(help="The name of a batch.")]
ShardName = Annotated[str, typer.Argument(help="A shard, like runs/<batch>/shards/00000.")]
RunName = Annotated[
    str, typer.Option("--run", help="The name of the run: a retry of it makes the same batches.")
]
Request = Annotated[str, typer.Option("--request", help="The form of the run, as JSON.")]


def command(doc: str | None, work: Callable[..., TaskReport]) -> None:
    """Run ``work`` on the command line's arguments and leave the process with its exit code.

    :param doc: what the command's help says.
    :param work: gets the runtime first; its other parameters are the arguments, as typer reads
        them.
    """
    configure_logs()
    # leases are given back
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    given = _arguments(doc, work)
    run = Run(stage=Path(sys.argv[0]).stem, place=_place(given))
    sys.exit(attempt(lambda: work(run.runtime, **given), run.leave))


def _arguments(doc: str | None, work: Callable[..., TaskReport]) -> dict[str, Any]:
    """The arguments of the command line, by the names of the parameters. They are only read inside
    of typer, which has a mind of its own about some exceptions."""
    given: dict[str, Any] = {}
    _, *parameters = inspect.signature(work, eval_str=True).parameters.values()

    def read(**arguments: Any) -> None:
        given.update(arguments)

    read.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    read.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    # plain text: Airflow shows the last line of what a task says
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(help=" ".join((doc or "").split()))(read)
    try:
        app()
    except SystemExit as end:
        if end.code or not given:  # a wrong argument, or --help
            raise
    return given


def stage_command(doc: str | None, stage: str) -> None:
    """The command of a stage that works on one shard."""

    def work(runtime: Runtime, shard: ShardName) -> ShardDone:
        asked = runtime.for_batch(Shard(runtime.work, shard).batch)
        report, was_there = run_stage(
            asked.stage(stage), shard, store=runtime.work, settings=runtime.settings.shards
        )
        return ShardDone(report=report, skipped=was_there)

    command(doc, work)


class Run:
    """One run of a task: its runtime, and where it leaves the reason for which it fails."""

    def __init__(self, *, stage: str, place: str) -> None:
        self._stage, self._place = stage, place

    @cached_property
    def runtime(self) -> Runtime:
        """The parts of today's settings."""
        return Runtime(load_settings())

    def leave(self, error: BaseException, code: int) -> None:
        """Keep the reason beside the batch or the shard, if there is such a one; never raises."""
        if not self._place or "runtime" not in vars(self):  # no settings, no bucket
            return
        try:
            if not _is_there(self.runtime.work, self._place):
                return
            secrets = _secrets(self.runtime.settings)
            kept = task_errors.of_exception(
                error, stage=self._stage, exit_code=code, secrets=secrets
            )
        except Exception:  # the task has an error to end with already
            return
        task_errors.leave(self.runtime.work, self._place, kept)


def attempt(
    work: Callable[[], TaskReport], leave: Callable[[BaseException, int], None] | None = None
) -> int:
    """Do it, print the report, or print one sentence; returns the exit code. ``leave`` is told of
    any other end."""
    leave = leave or (lambda *_: None)
    try:
        report = work()
    except MMSearchError as error:
        code = TRY_LATER if isinstance(error, TryLater) else STOP
        leave(error, code)
        _say(error)  # last: Airflow shows the last line
        return code
    except BaseException as error:  # a bug, or SIGTERM: as Python ends it
        leave(
            error,
            error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else BUG,
        )
        raise
    sys.stdout.write(to_json_text(to_json_value(report)) + "\n")
    return DONE


def configure_logs() -> None:
    """Events with keys, on stderr."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


def _say(error: MMSearchError) -> None:
    sys.stderr.write(printable(f"{type(error).__name__}: {error}") + "\n")


def _place(given: Mapping[str, Any]) -> str:
    """The folder of the batch or the shard that the arguments name; "" where they name neither."""
    batch, shard = f"runs/{given.get('batch', '')}", str(given.get("shard", "")).rstrip("/")
    if BATCH.fullmatch(batch):
        return batch
    return shard if SHARD.fullmatch(shard) else ""


def _is_there(work: ObjectStore, place: str) -> bool:
    """Whether somebody planned or asked for this batch: a mistyped name leaves nothing behind."""
    batch = place.split("/")[1]
    return bool(work.head(plan_key(batch)) or work.head(manifest_key(batch)))


def _secrets(settings: BaseModel) -> list[str]:
    """Every secret in the settings, and the passwords in addresses."""
    found: list[str] = []
    for value in dict(settings).values():
        if isinstance(value, BaseModel):
            found += _secrets(value)
        elif isinstance(value, SecretStr):
            found.append(value.get_secret_value())
        elif isinstance(value, str) and "@" in value and (password := urlsplit(value).password):
            found.append(password)
    return found
