"""The shared command line of all tasks: arguments, logs, exit codes, the one JSON line."""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable
from typing import Any

import structlog

from mmsearch_core.codec import to_json
from mmsearch_core.errors import MMSearchError, TryLater
from mmsearch_core.safe_text import printable, to_json_text
from mmsearch_core.settings import load_settings
from mmsearch_core.shards import Shard, run_stage
from mmsearch_core.wiring import Runtime

DONE, BUG, TRY_LATER, STOP = 0, 1, 75, 78  # 75 and 78 as in sysexits.h: EX_TEMPFAIL, EX_CONFIG


def command(doc: str | None, argument: str, work: Callable[..., dict[str, Any]], **numbers: int) -> None:
    """Run ``work`` on the one argument and leave the process with its exit code. Argument names that begin with a
    dash are options; ``numbers`` are further options with their defaults."""
    configure_logs()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # leases are given back
    parser = argparse.ArgumentParser(description=doc)
    if argument.startswith("-"):
        parser.add_argument(argument, required=True, dest="value")
    else:
        parser.add_argument("value", metavar=argument)
    for name, default in numbers.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    given = vars(parser.parse_args())
    sys.exit(attempt(lambda: work(Runtime(load_settings()), given.pop("value"), **given)))


def stage_command(doc: str | None, stage: str) -> None:
    """The command of a stage that works on one shard."""

    def work(runtime: Runtime, shard: str) -> dict[str, Any]:
        asked = runtime.for_batch(Shard(runtime.work, shard).batch)
        report, was_there = run_stage(asked.stage(stage), shard, store=runtime.work, settings=runtime.settings.shards)
        return {**json.loads(to_json(report)), "skipped": was_there}

    command(doc, "shard", work)


def attempt(work: Callable[[], dict[str, Any]]) -> int:
    """Do it, print the report, or print one sentence; returns the exit code."""
    try:
        report = work()
    except TryLater as error:
        return _say(error, TRY_LATER)
    except MMSearchError as error:
        return _say(error, STOP)
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


def _say(error: MMSearchError, code: int) -> int:
    sys.stderr.write(printable(f"{type(error).__name__}: {error}") + "\n")
    return code
