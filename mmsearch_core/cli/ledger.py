"""`mmsearch ledger upgrade`: the tables of the ledger's database."""

import typer

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.cli.console import Json, tell
from mmsearch_core.settings import load_settings

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def _help() -> None:
    """Look after the ledger's database."""


@app.command()
def upgrade(as_json: Json = False) -> None:
    """Bring the ledger's tables up to date; stop what uses the ledger first."""
    done = SqlLedger(load_settings().ledger.url).upgrade()
    sentence = f"The ledger {'is up to date now' if done else 'was up to date already'}."
    tell(sentence, {"upgraded": done}, as_json)
