"""`mmsearch rollback`, `hold` and `release`: which results are current."""

import uuid
from typing import Annotated

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, tell
from mmsearch_core.stages.search import rollback as going_back

app = typer.Typer(rich_markup_mode="markdown")


@app.command()
def rollback(
    generation: Annotated[
        str, typer.Argument(help="Where to go; the parent of the current one if not given.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Make an older generation of results current again, and hold it until `mmsearch release`."""
    parts = session.parts()
    request = going_back.Request(run=f"mmsearch rollback {uuid.uuid4().hex}", generation=generation)
    report = going_back.run(request=request, work=parts.work, ledger=parts.ledger)
    sentence = (
        f"{report.generation} is current instead of {report.before}, and held: `mmsearch"
        " release` lets the next night publish."
    )
    tell(sentence, report, as_json)


@app.command()
def hold(as_json: Json = False) -> None:
    """Publish nothing until `mmsearch release`."""
    current = going_back.hold(session.parts().work)
    sentence = f"{current.generation} is held: `mmsearch release` lets the next night publish."
    tell(sentence, current, as_json)


@app.command()
def release(as_json: Json = False) -> None:
    """Let results be published again."""
    current = going_back.release(session.parts().work)
    sentence = f"{current.generation} is current until the next night publishes."
    tell(sentence, current, as_json)
