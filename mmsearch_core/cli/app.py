"""The command `mmsearch`.

Each group of commands is a file of its own, which is imported when one of them is run: `mmsearch
results` shall not wait for what `mmsearch evaluate` needs.
"""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from mmsearch_core.errors import MMSearchError, TryLater

# every command, in the order in which they are shown, with the module that has it
COMMANDS = {
    "search": "find",
    "results": "find",
    "status": "look",
    "page": "look",
    "add": "catalog",
    "clips": "moments",
    "tables": "cells",
    "evaluate": "measure",
    "tune": "measure",
    "retire": "index",
    "rollback": "publication",
    "hold": "publication",
    "release": "publication",
    "ledger": "ledger",
}


class Lazy(TyperGroup):
    """Imports the module of a command when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 of click
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"mmsearch_core.cli.{COMMANDS[cmd_name]}")
        group: Any = typer.main.get_group(module.app)
        if cmd_name != COMMANDS[cmd_name]:
            return group.get_command(ctx, cmd_name)
        group.name = cmd_name
        return group


app = typer.Typer(
    cls=Lazy,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def _help() -> None:
    """Search a shop's products, see what is published, and look after the catalog."""


def main() -> None:
    """Run the command; an error of ours is one sentence and its exit code, 75 (try later) or 78
    (change something)."""
    _log_to_stderr()
    try:
        app()
    except MMSearchError as error:
        from mmsearch_core.cli.console import complain

        complain(str(error))
        sys.exit(75 if isinstance(error, TryLater) else 78)


def _log_to_stderr() -> None:
    """What --json prints is JSON alone."""
    import structlog

    structlog.configure(
        # values as repr() shows them
        processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
