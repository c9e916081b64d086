"""upsert: what was made of each change becomes rows of the index, committed by the one writer."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mmsearch_core.media import Kinds
from mmsearch_core.media.cells import cells_of
from mmsearch_core.media.words import Words
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.asset import Asset, Change, Product
from mmsearch_core.records.description import Description
from mmsearch_core.records.embedding import Embedding, Vector
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    SegmentId,
)
from mmsearch_core.records.line import building
from mmsearch_core.records.passage import Passage
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.report import Failure
from mmsearch_core.records.row import IndexRow, row_id
from mmsearch_core.records.segment import Segment
from mmsearch_core.records.table import PageTables, Table
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.shards.targets import of_plan
from mmsearch_core.shards.writer import Writer
from mmsearch_core.stages.index.commit import Commit, Work, build_of, versions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the rows of a shard are put together from."""

    segments: Mapping[AssetId, Sequence[Segment]]
    passages: Mapping[SegmentId, Sequence[Passage]]
    picture_space: str
    pictures: Mapping[str, Vector]  # by segment
    text_space: str
    texts: Mapping[str, Vector]  # by passage


def recipes(kinds: Kinds) -> dict[str, Recipe]:
    """Nothing here decides what a row says; the version stands for the shape of rows, which is that
    of every kind. A collection of the next shape is built beside the one that is searched, from the
    memo."""
    return dict.fromkeys(kinds, Recipe(stage="upsert", version=3, settings={}))


def stage(
    *,
    stores: Stores,
    picture_space: str,
    text_space: str,
    kinds: Kinds,
    batch: int = 100,
    lease_seconds: float = 60,
) -> Stage[Work]:
    """Bring the shard's changes into the index. One writer at a time a target, by a lease with a
    fencing token."""
    holder = uuid.uuid4().hex

    def work_on(items: Sequence[Work], run: ShardRun) -> list[Outcome]:
        plan = run.planned
        of_plan(plan, stores)  # the collection that was planned is there
        sources = [item.change.source.key for item in items if isinstance(item.change, Asset)]
        # as the plan saw them, by their very names; and before the lease is taken, for others wait
        # for it
        now = versions_of(sources, stores.catalog.head)
        with Writer(
            stores, plan.target_id, plan.collection, holder=holder, seconds=lease_seconds
        ) as writer:
            return Commit(stores, plan, writer, now).apply(items, run.tally)

    return Stage(
        name="upsert",
        recipes=recipes(kinds),
        reads={
            "changes": "plan",
            "products": "plan",
            "segments": "decode",
            "tables": "read_tables",
            "descriptions": "describe",
            **{f"failures/{name}": name for name in building()},
            "passages": "embed_text",
            f"embeddings.{text_space}": "embed_text",
            f"embeddings.{picture_space}": "embed_image",
        },
        writes={},
        items=lambda shard, plan: _assemble(shard, plan, kinds, picture_space, text_space),
        id_of=lambda item: item.change.asset_id,
        work=work_on,
        batch=batch,
    )


def _assemble(
    shard: Shard, plan: Plan, kinds: Kinds, picture_space: str, text_space: str
) -> list[Work]:
    """Every change of the shard, with the rows and the cells that its asset will have."""
    tables_of = kinds[plan.shard_kinds[shard.path]].tables_of
    tables = _tables(shard, tables_of) if tables_of else None
    parts = _read_parts(shard, picture_space, text_space)
    products = {product.product_id: product for product in shard.read("products", Product)}
    reasons = _first_failures(shard)
    items = []
    for change in shard.read("changes", Change):
        if not isinstance(change, Asset):
            items.append(Work(change=change, rows=[], product_text="", failure=None))
            continue
        product = products.get(change.product_id)
        text = product.text_digest if product else ""
        build = build_of(change, text, plan.recipes)
        rows: list[IndexRow] = []
        failure = reasons.get(change.asset_id)
        for segment in parts.segments[change.asset_id]:
            rows += _rows(segment, build, parts)
            failure = failure or reasons.get(segment.segment_id)
        missing = sum(segment.missing for segment in parts.segments[change.asset_id])
        if missing:
            failure = failure or _in_part(change, missing)
        if not rows:
            failure = failure or _no_rows(change)
        cells = None if tables is None else cells_of(change, build, tables[change.asset_id])
        work = Work(change=change, rows=rows, product_text=text, failure=failure, cells=cells)
        items.append(work)
    return items


def _tables(
    shard: Shard, tables_of: Callable[[Words], Sequence[Table]]
) -> Mapping[AssetId, list[tuple[Segment, Sequence[Table]]]]:
    """The segments of each asset with their tables."""
    read = {page.segment_id: page.tables for page in shard.read("tables", PageTables)}
    said = {one.segment_id: one for one in shard.read("descriptions", Description)}
    found: dict[AssetId, list[tuple[Segment, Sequence[Table]]]] = defaultdict(list)
    for segment in shard.read("segments", Segment):
        words = Words(
            segment=segment,
            description=said.get(segment.segment_id),
            product=None,
            tables=read.get(segment.segment_id, ()),
        )
        found[segment.asset_id].append((segment, tables_of(words)))
    return found


def _read_parts(shard: Shard, picture_space: str, text_space: str) -> Parts:
    segments: dict[AssetId, list[Segment]] = defaultdict(list)
    for segment in shard.read("segments", Segment):
        segments[segment.asset_id].append(segment)
    passages: dict[SegmentId, list[Passage]] = defaultdict(list)
    for passage in shard.read("passages", Passage):
        passages[passage.segment_id].append(passage)
    return Parts(
        segments=segments,
        passages=passages,
        picture_space=picture_space,
        pictures=_vectors(shard, picture_space),
        text_space=text_space,
        texts=_vectors(shard, text_space),
    )


def _first_failures(shard: Shard) -> dict[str, Failure]:
    """By record, the failure of the first stage that failed at it."""
    first: dict[str, Failure] = {}
    for stage_name in building():
        for failure in shard.failures(stage_name):
            first.setdefault(failure.record_id, failure)
    return first


def _rows(segment: Segment, build: Build, parts: Parts) -> list[IndexRow]:
    """One row a passage: the segment's picture vector, and the passage's own text vector."""
    picture = parts.pictures.get(segment.segment_id)
    rows = []
    for passage in parts.passages[segment.segment_id]:
        text = parts.texts.get(passage.passage_id)
        row = IndexRow(
            row_id=row_id(passage.passage_id, build),
            passage_id=passage.passage_id,
            segment_id=segment.segment_id,
            asset_id=segment.asset_id,
            product_id=segment.product_id,
            build=build,
            kind=passage.kind,
            where=passage.where,
            pixels=segment.pixels,
            text=passage.text,
            vectors={parts.picture_space: picture, parts.text_space: text},
        )
        rows.append(row)
    return rows


def _vectors(shard: Shard, space: str) -> dict[str, Vector]:
    return {e.record_id: e.vector for e in shard.read(f"embeddings.{space}", Embedding)}


def _in_part(asset: Asset, missing: float) -> Failure:
    message = f"{missing:.1f} seconds of {asset.source.key} cannot be read: export it again."
    return Failure(
        record_id=asset.asset_id, stage="decode", kind="UnreadableMedia", message=message
    )


def _no_rows(asset: Asset) -> Failure:
    message = f"Nothing could be embedded of {asset.source.key}."
    return Failure(
        record_id=asset.asset_id, stage="embed_text", kind="UnusableAnswer", message=message
    )
