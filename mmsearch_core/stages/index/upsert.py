"""upsert: the rows of new builds go into the index beside the old ones, one ledger commit makes
them live, then the old rows go. A crash anywhere leaves the old truth or the new, and an asset that
counts as changed."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from mmsearch_core.catalog.look import look
from mmsearch_core.errors import Busy, FailedBefore, SourceChanged
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.asset import Asset, Change, ObjectRef, Product, Removal, Withdrawal
from mmsearch_core.records.commit import Made, Writing
from mmsearch_core.records.embedding import Embedding, Vector
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    PassageId,
    ProductId,
    RecipeId,
    RowId,
    SegmentId,
    TargetId,
)
from mmsearch_core.records.line import building
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.report import Failure
from mmsearch_core.records.row import IndexRow, Passage, build_id, content_of, row_id
from mmsearch_core.records.segment import Segment
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage, Tally
from mmsearch_core.shards.targets import of_plan

LOOKERS = 32  # objects looked at side by side; as many as the store's client has connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One change with all that was made of it; ``failure`` says why an asset has no rows or, where
    it has some, what is missing from them."""

    change: Change
    rows: Sequence[IndexRow]
    product_text: str
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the rows of a shard are put together from."""

    passages: Mapping[SegmentId, Sequence[Passage]]
    pictures: Mapping[str, Mapping[str, Vector]]  # space, segment
    texts: Mapping[str, Mapping[str, Vector]]  # space, passage


def recipe() -> Recipe:
    """Nothing here decides what a row says; the version stands for the shape of rows. A collection
    of the next shape is built beside the one that is searched, from the memo."""
    return Recipe(stage="upsert", version=2, settings={})


def stage(
    *,
    stores: Stores,
    picture_space: str,
    text_space: str,
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
        recipe=recipe(),
        reads={
            "changes": "plan",
            "products": "plan",
            "segments": "decode",
            **{f"failures/{name}": name for name in building()},
            "passages": "embed_text",
            f"embeddings.{text_space}": "embed_text",
            f"embeddings.{picture_space}": "embed_image",
        },
        writes={"rows": IndexRow},
        items=lambda shard, plan: _assemble(shard, plan, picture_space, text_space),
        id_of=lambda item: item.change.asset_id,
        work=work_on,
        batch=batch,
    )


class Writer:
    """The lease of a target's one writer, as a context manager; ``token`` fences what is written
    under it."""

    def __init__(
        self, stores: Stores, target: TargetId, collection: str, *, holder: str, seconds: float
    ) -> None:
        self._stores, self._collection = stores, collection
        self._name, self._holder, self._seconds = f"index:{target}", holder, seconds

    def __enter__(self) -> "Writer":
        self.token = self._take()
        if (
            self.token == 1
        ):  # a ledger that never had a writer, yet the rows may be another ledger's
            self.overtake(self._stores.index.greatest_writer(self._collection))
        return self

    def __exit__(self, *_: object) -> None:
        self._stores.ledger.give_lease(self._name, holder=self._holder)

    def renew(self) -> None:
        """Before a step that may take long; Busy if the lease ran out meanwhile."""
        if self._take() != self.token:
            raise Busy(f"The lease {self._name} ran out: this process must not write any more.")

    def overtake(self, greatest: int) -> None:
        """Rows carry tokens up to ``greatest``: take one over it, or none of them could be replaced
        or removed. A ledger that is new or was restored counts from where it stands, and clocks may
        be wrong."""
        if greatest > self.token:
            self._stores.ledger.raise_token(self._name, greatest)
            self.token = self._take()

    def _take(self) -> int:
        return self._stores.ledger.take_lease(
            self._name, holder=self._holder, seconds=self._seconds
        )


class Commit:
    """The commit protocol for one batch of changes. ``now`` holds, by key, the version of each
    asset's object as it was seen a moment ago, None where there was none."""

    def __init__(
        self, stores: Stores, plan: Plan, writer: Writer, now: Mapping[str, str | None]
    ) -> None:
        self._catalog, self._ledger, self._index = stores.catalog, stores.ledger, stores.index
        self._plan, self._writer, self._token = plan, writer, writer.token
        self._now = now

    def apply(self, items: Sequence[Work], tally: Tally) -> list[Outcome]:
        """One outcome a change: its rows, none for a removal, or why not."""
        made = {a.change.asset_id: a for a in items if isinstance(a.change, Asset)}
        outcomes: dict[AssetId, Outcome] = {}
        try:
            self._remove(
                [a.change for a in items if not isinstance(a.change, Asset)], outcomes, tally
            )
            self._write(made, outcomes, tally)
        except Busy:
            self._ledger.doubt(self._plan.target_id, [item.change for item in items])
            raise
        return [outcomes[item.change.asset_id] for item in items]

    def _remove(
        self, gone: Sequence[Removal | Withdrawal], outcomes: dict[AssetId, Outcome], tally: Tally
    ) -> None:
        sold = self._ledger.products(
            [change.product_id for change in gone if isinstance(change, Withdrawal)]
        )
        # under the lease: nothing tells of an object that came back with the bytes that the ledger
        # knows
        here = [change.key for change in gone if isinstance(change, Removal) and not change.moved]
        now = versions_of(here, partial(look, self._catalog))
        away = [change for change in gone if not _is_back(change, sold, now)]
        if away:
            names: dict[AssetId, Collection[RowId]] = {change.asset_id: () for change in away}
            # counted as changed before their rows go: if we sleep and they come back, another
            # writes them anew
            self._ledger.doubt(self._plan.target_id, away)
            self._writer.renew()
            tally["rows_removed"] += self._index.retire(
                self._plan.collection, names, writer=self._token
            )
            self._ledger.forget(self._plan.target_id, list(names), token=self._token)
            self._ledger.wait_for_product(self._plan.target_id, _waiting(away))
        back = SourceChanged("It is there again: the next refresh takes it up.")
        outcomes.update({change.asset_id: [] if change in away else back for change in gone})

    def _write(
        self, made: Mapping[AssetId, Work], outcomes: dict[AssetId, Outcome], tally: Tally
    ) -> None:
        target, collection = self._plan.target_id, self._plan.collection
        writings = {asset: self._writing(item) for asset, item in made.items()}
        accepted = (
            self._ledger.begin(target, list(writings.values()), token=self._token)
            if writings
            else set()
        )
        rows = [row for asset, item in made.items() if asset in accepted for row in item.rows]
        if rows:
            self._writer.renew()
            self._index.upsert(collection, rows, writer=self._token)
        tally["rows_written"] += len(rows)
        same = {asset for asset in accepted if self._unchanged(made[asset])}
        good = {
            asset: _made(made[asset], writings[asset].build) for asset in same if made[asset].rows
        }
        live = self._ledger.commit(target, good, token=self._token) if good else set()
        bad = {
            asset: (writings[asset], why)
            for asset in same - good.keys()
            if (why := made[asset].failure)
        }
        # all but the rows just written: older builds, and whatever else lies there under the
        # asset's name
        keep: dict[AssetId, Collection[RowId]] = {
            asset: {row.row_id for row in made[asset].rows} for asset in live
        }
        keep |= dict.fromkeys(bad, ())
        if keep:
            self._writer.renew()
            tally["rows_removed"] += self._index.retire(collection, keep, writer=self._token)
        if live:
            self._ledger.settle(
                target, {asset: good[asset].build for asset in live}, token=self._token
            )
        if bad:
            self._ledger.fail(target, bad, token=self._token)
        for asset, item in made.items():
            outcomes[asset] = self._outcome(item, settled=asset in live or asset in bad)

    def _writing(self, item: Work) -> Writing:
        asset = item.change
        assert isinstance(asset, Asset)
        build = build_of(asset, item.product_text, self._plan.recipes)
        return Writing(
            asset=asset, build=build, product_text=item.product_text, observed_at=self._plan.made_at
        )

    def _unchanged(self, item: Work) -> bool:
        assert isinstance(item.change, Asset)
        if item.failure and item.failure.kind == SourceChanged.__name__:
            return False  # even if the planned bytes are back by now: they were not read
        return self._now[item.change.source.key] == item.change.source.version

    @staticmethod
    def _outcome(item: Work, *, settled: bool) -> Outcome:
        if not settled:
            return SourceChanged(
                "The object changed while it was indexed: the next refresh takes it up."
            )
        if item.failure and not item.rows:
            return FailedBefore(f"{item.failure.stage}: {item.failure.message}")
        return list(item.rows)


def versions_of(
    keys: Sequence[str], look_at: Callable[[str], ObjectRef | None]
) -> dict[str, str | None]:
    """The version of each object as it is now, by key; None where there is none. Looks at many side
    by side."""
    with ThreadPoolExecutor(LOOKERS) as lookers:
        found = list(lookers.map(look_at, keys))
    return {key: ref.version if ref else None for key, ref in zip(keys, found, strict=True)}


def _is_back(
    change: Removal | Withdrawal, sold: Mapping[ProductId, Product], now: Mapping[str, str | None]
) -> bool:
    """Whether what was to go is there again: in the bucket, or in the feed."""
    if isinstance(change, Removal):
        return not change.moved and now[change.key] is not None
    return change.product_id in sold


def build_of(asset: Asset, product_text: str, recipes: Mapping[str, RecipeId]) -> Build:
    """The build that this asset, with these words of the feed, has under these recipes."""
    return build_id(
        asset.source.version, product_text, {name: recipes[name] for name in building()}
    )


def _made(item: Work, build: Build) -> Made:
    return Made(
        build=build, rows=len(item.rows), content=content_of(item.rows), failure=item.failure
    )


def _waiting(away: Sequence[Change]) -> list[Asset]:
    left = [change for change in away if isinstance(change, Withdrawal)]
    return [
        Asset(asset_id=w.asset_id, product_id=w.product_id, kind=w.kind, source=w.source)
        for w in left
    ]


def _assemble(shard: Shard, plan: Plan, picture_space: str, text_space: str) -> list[Work]:
    segments: dict[AssetId, list[Segment]] = defaultdict(list)
    for segment in shard.read("segments", Segment):
        segments[segment.asset_id].append(segment)
    passages: dict[SegmentId, list[Passage]] = defaultdict(list)
    for passage in shard.read("passages", Passage):
        passages[passage.segment_id].append(passage)
    parts = Parts(
        passages=passages,
        pictures={picture_space: _vectors(shard, picture_space)},
        texts={text_space: _vectors(shard, text_space)},
    )
    products = {p.product_id: p for p in shard.read("products", Product)}
    failures = [failure for name in building() for failure in shard.failures(name)]
    # the first stage that failed says why
    first = {failure.record_id: failure for failure in reversed(failures)}
    items = []
    for change in shard.read("changes", Change):
        if not isinstance(change, Asset):
            items.append(Work(change=change, rows=[], product_text="", failure=None))
            continue
        product = products.get(change.product_id)
        text = product.text_digest if product else ""
        build = build_of(change, text, plan.recipes)
        rows = [
            row for segment in segments[change.asset_id] for row in _rows(segment, build, parts)
        ]
        names = [change.asset_id, *(segment.segment_id for segment in segments[change.asset_id])]
        why = next(
            (first[name] for name in names if name in first), None if rows else _no_rows(change)
        )
        items.append(Work(change=change, rows=rows, product_text=text, failure=why))
    return items


def _rows(segment: Segment, build: Build, parts: Parts) -> list[IndexRow]:
    return [
        IndexRow(
            row_id=row_id(passage.passage_id, build),
            passage_id=passage.passage_id,
            segment_id=segment.segment_id,
            asset_id=segment.asset_id,
            product_id=segment.product_id,
            build=build,
            where=passage.where,
            pixels=segment.pixels,
            text=passage.text,
            vectors={
                **{
                    space: vectors.get(segment.segment_id)
                    for space, vectors in parts.pictures.items()
                },
                **{
                    space: vectors.get(PassageId(passage.passage_id))
                    for space, vectors in parts.texts.items()
                },
            },
        )
        for passage in parts.passages[segment.segment_id]
    ]


def _vectors(shard: Shard, space: str) -> dict[str, Vector]:
    return {e.record_id: e.vector for e in shard.read(f"embeddings.{space}", Embedding)}


def _no_rows(asset: Asset) -> Failure:
    message = f"Nothing could be embedded of {asset.source.key}."
    return Failure(
        record_id=asset.asset_id, stage="embed_text", kind="UnusableAnswer", message=message
    )
