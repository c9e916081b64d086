"""`mmsearch retire`: an index that nobody will go back to."""

from typing import Annotated

import typer

from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, tell
from mmsearch_core.errors import BadSettings
from mmsearch_core.safe_text import redacted
from mmsearch_core.shards.targets import check_present

app = typer.Typer(rich_markup_mode="markdown")


@app.command()
def retire(
    collection: Annotated[str, typer.Argument(help="As `mmsearch status` names it.")],
    as_json: Json = False,
) -> None:
    """Drop an index that nobody will go back to, never the one that is searched."""
    parts = session.parts()
    known = parts.ledger.targets()
    target = next((it for it in known if it.collection == collection), None)
    if target is None:
        raise BadSettings(
            f"There is no index {collection}: name one of those that `mmsearch status` shows."
        )
    if target.status == "live":
        raise BadSettings(f"{collection} is searched: let another take its place first.")
    if not any(parts.index.uuid(it.collection) == it.collection_uuid for it in known):
        # not one that was lost, but another Milvus
        check_present(target, parts.index, where=redacted(parts.settings.index.uri))
    parts.index.drop(collection)
    parts.ledger.set_status(target.target_id, "retired")
    tell(f"{collection} is gone.", {"retired": collection}, as_json)
