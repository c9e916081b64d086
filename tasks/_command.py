"""The shared command line of all tasks: arguments, logs, exit codes, the one JSON line."""

import argparse
import json
import logging
import re
import signal
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel, SecretStr

from mmsearch_core.codec import to_json
from mmsearch_core.errors import MMSearchError, TryLater
from mmsearch_core.layout import manifest_key, plan_key
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.safe_text import printable, to_json_text
from mmsearch_core.settings import load_settings
from mmsearch_core.shards import task_errors
from mmsearch_core.shards.loop import run_stage
from mmsearch_core.shards.shard import Shard
from mmsearch_core.wiring.batches import Runtime

DONE, BUG, TRY_LATER, STOP = 0, 1, 75, 78  # 75 and 78 as in sysexits.h: EX_TEMPFAIL, EX_CONFIG
BATCH = re.compile(r"runs/[\w.-]+")
SHARD = re.compile(r"runs/[\w.-]+/shards/\d+")


def command(
    doc: str | None, argument: str, work: Callable[..., dict[str, Any]], **numbers: int
) -> None:
    """Run ``work`` on the one argument and leave the process with its exit code. Argument names
    that begin with a dash are options; ``numbers`` are further options with their defaults."""
    configure_logs()
    # leases are given back
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(description=doc)
    if argument.startswith("-"):
        parser.add_argument(argument, required=True, dest="value")
    else:
        parser.add_argument("value", metavar=argument)
    for name, default in numbers.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    given = vars(parser.parse_args())
    value = given.pop("value")
    run = Run(stage=Path(sys.argv[0]).stem, place=_place(argument, value))
    sys.exit(attempt(lambda: work(run.runtime, value, **given), run.leave))


def stage_command(doc: str | None, stage: str) -> None:
    """The command of a stage that works on one shard."""

    def work(runtime: Runtime, shard: str) -> dict[str, Any]:
        asked = runtime.for_batch(Shard(runtime.work, shard).batch)
        report, was_there = run_stage(
            asked.stage(stage), shard, store=runtime.work, settings=runtime.settings.shards
        )
        return {**json.loads(to_json(report)), "skipped": was_there}

    command(doc, "shard", work)


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
    work: Callable[[], dict[str, Any]], leave: Callable[[BaseException, int], None] | None = None
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
    sys.stdout.write(to_json_text(report) + "\n")
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


def _place(argument: str, value: str) -> str:
    """The folder of the batch or the shard that the argument names; "" where it names neither."""
    form = {"batch": BATCH, "shard": SHARD}.get(argument)
    path = f"runs/{value}" if argument == "batch" else value.rstrip("/")
    return path if form and form.fullmatch(path) else ""


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
