"""`mmsearch add`: pictures, videos and PDFs into the catalog."""

import re
from pathlib import Path
from typing import Annotated

import typer

from mmsearch_core.catalog.feed import add_to_feed
from mmsearch_core.cli import session
from mmsearch_core.cli.console import Json, say, show_json
from mmsearch_core.errors import BadSettings

app = typer.Typer(rich_markup_mode="markdown")


@app.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(help="Pictures, videos and PDFs to upload to the catalog bucket."),
    ],
    product: Annotated[
        str, typer.Option(help="The product they show; each file's own name where not given.")
    ] = "",
    title: Annotated[
        str, typer.Option(help="The product's title, for a product that the feed does not know.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Upload pictures, videos and PDFs to the catalog; the next refresh indexes them."""
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise BadSettings(f"{missing[0]} is not a file: correct the name.")
    parts = session.parts()
    catalog, settings = parts.catalog, parts.settings.catalog
    added = []
    for file in files:
        owner = product or re.sub(r"[^\w.-]+", "-", file.stem)
        key = f"{settings.prefix}{owner}/{file.name}"
        catalog.upload(key, file)
        known = add_to_feed(catalog, settings.feed, owner, title or owner)
        address = f"s3://{catalog.bucket}/{key}"
        added.append({"address": address, "product": owner, "new_product": not known})
        if not as_json:
            say(address + ("" if known else " (new product, added to the feed)"))
    if as_json:
        show_json({"added": added})
