"""What the bucket and the feed imply, worked out from their bytes alone: no ledger, no stage, no id
of the core."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import starmap
from typing import Any

from mmsearch_core.media.tables import row_texts, values
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.table import Table
from mmsearch_core.records.target import Target
from mmsearch_core.search.cells import current_cells
from mmsearch_core.testing.fake_models import COLORS
from mmsearch_core.testing.fake_tables import BETWEEN, table_of
from mmsearch_core.wiring.batches import Runtime
from tests.documents.made import page, pdf
from tests.line import picture
from tests.videos.made import video

PICTURES = {picture(color, shade=shade): color for color in COLORS for shade in (0, 25)}
# tables as the fake reader knows them
CHART, HEAT = "size | waist (cm)\nS | 68\nM | 76", "part | heat (C)\nshell | 30"
# pages of one color that say something, or nothing
DOCUMENTS: Mapping[bytes, tuple[tuple[str, str], ...]] = {
    pdf(*starmap(page, pages)): pages
    for pages in (
        (("red", "size chart"),),
        (("red", CHART), ("green", ""), ("black", HEAT)),
        (("blue", HEAT), ("red", "size chart")),
        (("black", "tumble dry"), ("red", f"{CHART}\nL | 84")),
    )
}
# scenes of one color, each of which is a shot of so many seconds
VIDEOS: Mapping[bytes, tuple[tuple[str, float], ...]] = {
    video(*scenes, fps=5): scenes
    for scenes in (
        (("red", 1.0),),
        (("red", 1.0), ("blue", 2.0), ("green", 1.0)),
        (("black", 2.0), ("red", 1.0)),
    )
}
BROKEN = (
    b"\xff\xd8\xff no picture",
    b"",
    b"%PDF-1.7 and no more",
    b"\x00\x00\x00\x18ftypmp42 and no more",
)
# by the ending of keys
KIND = {".jpg": "picture", ".pdf": "document", ".mp4": "video"}
CONTENTS = {
    ".jpg": (*PICTURES, *BROKEN),
    ".pdf": (*DOCUMENTS, *BROKEN),
    ".mp4": (*VIDEOS, *BROKEN),
}
NAME = re.compile(rb'\{"product_id": "(p\d)"')
BUILDING = ("decode", "describe", "embed_image", "embed_text", "read_tables")


Cell = tuple[int, int, int, str]  # page, row, column, text
Said = tuple[str, str, str, int]  # place, kind, text, and its number among these


@dataclass(frozen=True, kw_only=True)
class Truth:
    """``rows``: (primary key, asset, build, text) of all that lies in the index; ``cells``: what
    tables say, of the documents' live builds; ``states`` by key, with the source's version;
    ``products``: price, stock and title by id."""

    rows: frozenset[tuple[str, str, str, str]]
    cells: frozenset[tuple[str, str, Cell]]
    states: Mapping[str, tuple[str, str]]
    products: Mapping[str, tuple[Any, bool, str]]


def sold_by(
    feed: bytes, before: Mapping[str, Any], *, share: float, at_least: int, approved: int
) -> Mapping[str, Any] | None:
    """What the shop sells once it is told by this feed, by product; None where the feed is not to
    be believed. Of what a line names and does not say, what was sold ``before`` stays."""
    lines = [line for line in feed.split(b"\n") if line]
    said = {line["product_id"]: line for line in map(_line, lines) if line}
    names = [NAME.match(line) for line in lines]
    named = {found.group(1).decode() for found in names if found}
    unnamed, gone = names.count(None), len(set(before) - named)
    if not said or (unnamed > at_least and unnamed > share * len(lines)):
        return None
    if gone > max(at_least, approved) and gone > share * len(before):
        return None
    return {name: line for name, line in before.items() if name in named} | said


def _line(line: bytes) -> dict[str, Any] | None:
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return (
        said
        if isinstance(said["price"], float | int) and isinstance(said["in_stock"], bool)
        else None
    )


def implied(
    catalog: ObjectStore, recipes: Mapping[str, Mapping[str, str]], feed: Mapping[str, Any]
) -> Truth:
    """What has to be there once everything has settled; ``recipes`` by kind and stage, ``feed`` is
    what is sold, by product."""
    rows, cells, states = set(), set(), {}
    for found in catalog.list("pictures/"):
        data = catalog.get(found.key) or b""
        product = feed.get(found.key.split("/")[1])
        version = f"{found.etag}:{found.size}"
        kind = KIND[found.key[-4:]]
        passages = _passages(kind, data, product["title"]["en"]) if product else ()
        if product is None:
            states[found.key] = ("waiting_for_product", "")
        elif not passages:
            states[found.key] = ("failed", version)
        else:
            states[found.key] = ("live", version)
            asset = _name("asset", catalog.bucket, found.key)
            text = _name("text", f"en={product['title']['en']}")
            of_kind = recipes[kind]
            made = [f"{stage}={of_kind[stage]}" for stage in BUILDING if stage in of_kind]
            build = _name("build", version, text, *made)
            rows |= {_row(asset, build, *passage) for passage in passages}
            cells |= {(found.key, build, cell) for cell in cells_of(DOCUMENTS.get(data, ()))}
    return Truth(rows=frozenset(rows), cells=frozenset(cells), states=states, products=facts(feed))


def cells_of(pages: Sequence[tuple[str, str]]) -> frozenset[Cell]:
    """What the tables of a document say."""
    found: list[Cell] = []
    for number, (_, words) in enumerate(pages, start=1):
        if BETWEEN in words:
            said = values(_table(words))
            found += [(number, value.row, value.column, value.text) for value in said]
    return frozenset(found)


def _table(words: str) -> Table:
    return table_of([line.split(f" {BETWEEN} ") for line in words.splitlines()])


def _passages(kind: str, data: bytes, title: str) -> list[Said]:
    """(place, kind, text, number) of all that can be found of a file; nothing of one that cannot be
    opened."""
    if kind == "picture":
        if data not in PICTURES:
            return []
        return [("whole", "caption", _caption(PICTURES[data], title), 0)]
    if kind == "video":
        return _moments(VIDEOS.get(data, ()), title)
    found = []
    for number, (color, words) in enumerate(DOCUMENTS.get(data, ()), start=1):
        found.append((f"page:{number}", "caption", _caption(color, title)))
        if words:
            found.append((f"page:{number}", "page_text", words))
        if BETWEEN in words:
            rows = row_texts(_table(words))
            found += [(f"page:{number}", "table_row", text) for _, text, _ in rows]
    return _numbered(found)


def _numbered(found: Sequence[tuple[str, str, str]]) -> list[Said]:
    """Each with its number among those of its kind at its place."""
    counted: Counter[tuple[str, str]] = Counter()
    numbered = []
    for where, kind, text in found:
        numbered.append((where, kind, text, counted[where, kind]))
        counted[where, kind] += 1
    return numbered


def _moments(scenes: Sequence[tuple[str, float]], title: str) -> list[Said]:
    found, start = [], 0.0
    for color, seconds in scenes:
        shot = f"span:{start:.3f}-{start + seconds:.3f}"
        found.append((shot, "caption", _caption(color, title)))
        turns = f"the {color} dress turns around\n{COLORS[color][1]}连衣裙转身"
        found.append((shot, "event", turns))
        start += seconds
    return _numbered(found)


def _caption(color: str, title: str) -> str:
    zh = COLORS[color][1]
    return f"{color} dress\n{zh}连衣裙\n{zh} 连衣裙\n{title}"


def facts(feed: Mapping[str, Any]) -> dict[str, tuple[Any, bool, str]]:
    """Price, stock and title of what is sold."""
    return {
        name: (line["price"], line["in_stock"], line["title"]["en"]) for name, line in feed.items()
    }


def products(ledger: Ledger) -> dict[str, tuple[Any, bool, str]]:
    """The same, as the ledger has it."""
    sold = ledger.products([name for batch in ledger.product_texts() for name, _ in batch])
    return {name: (it.price, bool(it.in_stock), it.title["en"]) for name, it in sold.items()}


def found(runtime: Runtime) -> Truth:
    """What is there."""
    target, ledger = runtime.target(), runtime.ledger
    known = [asset for batch in ledger.known(target.target_id) for asset in batch]
    stored = list(runtime.index.rows_between(target.collection, "0", "g"))
    rows = {(it.row.row_id, it.row.asset_id, it.row.build, it.row.text) for it in stored}
    live = {(asset.asset_id, asset.live_build) for asset in known if asset.live_build}
    assert {(asset, build) for _, asset, build, _ in rows} == live
    altered = [it.row.row_id for it in stored if it.altered]
    assert altered == [], "a row does not say what was written"
    shown = {(it.passage_id, it.build, it.text) for it in every_row(runtime, target.collection)}
    assert shown == {(it.row.passage_id, it.row.build, it.row.text) for it in stored}
    return Truth(
        rows=frozenset(rows),
        cells=frozenset(every_cell(runtime, target)),
        states={
            it.key: (it.state, it.source_version if it.state in ("live", "failed") else "")
            for it in known
        },
        products=products(ledger),
    )


def every_cell(runtime: Runtime, target: Target) -> list[tuple[str, str, Cell]]:
    """All cells of the documents' live builds, as whoever asks the tables sees them, by key and
    build; none of them twice."""
    seen = []
    for piece in current_cells(runtime.work, runtime.ledger, target):
        for row in piece.to_pylist():
            cell = (row["page"], row["row_number"], row["column_number"], row["text"])
            seen.append((row["document"], row["build"], cell))
    assert len(seen) == len(set(seen)), "a cell is seen twice"
    return seen


def every_row(runtime: Runtime, collection: str) -> list[Any]:
    """All rows, as a search shows them."""
    (asked,) = runtime.clip.embed(["red green blue black dress"])
    assert not isinstance(asked, Exception)
    return runtime.index.search(collection, "clip", [asked], 500)[0]


def _row(
    asset: str, build: str, where: str, kind: str, text: str, number: int
) -> tuple[str, str, str, str]:
    segment = _name("segment", asset, where)
    row = _name("row", _name("passage", segment, kind, str(number)), build)
    return row, asset, build, text


def _name(*parts: str) -> str:
    encoded = [part.encode() for part in parts]
    said = b"".join(b"%d:%s" % (len(data), data) for data in encoded)
    return sha256(said).hexdigest()[:32]
