"""The commit protocol: the rows of new builds go into the index beside the old ones, one ledger
commit makes them live, then the old rows go.

A crash anywhere leaves the old truth or the new, and an asset that counts as changed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from mmsearch_core.catalog.look import look
from mmsearch_core.errors import Busy, FailedBefore, SourceChanged
from mmsearch_core.layout import cells_key
from mmsearch_core.parquet import dump
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.asset import Asset, Change, ObjectRef, Product, Removal, Withdrawal
from mmsearch_core.records.cell import TableCell
from mmsearch_core.records.commit import Made, Writing
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    ProductId,
    RowId,
)
from mmsearch_core.records.line import building
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.recipe import Recipes
from mmsearch_core.records.report import Failure
from mmsearch_core.records.row import IndexRow, build_id, content_of
from mmsearch_core.shards.stage import Outcome, Tally
from mmsearch_core.shards.writer import Writer

KEEPERS = 8  # that write cells side by side
LOOKERS = 32  # objects looked at side by side; as many as the store's client has connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One change with all that was made of it; ``failure`` says why an asset has no rows or, where
    it has some, what is missing from them."""

    change: Change
    rows: Sequence[IndexRow]
    product_text: str
    failure: Failure | None
    # of the document's tables; None where its kind has none
    cells: Sequence[TableCell] | None = None


class Commit:
    """The commit protocol for one batch of changes. ``now`` holds, by key, the version of each
    asset's object as it was seen a moment ago, None where there was none."""

    def __init__(
        self, stores: Stores, plan: Plan, writer: Writer, now: Mapping[str, str | None]
    ) -> None:
        self._catalog, self._ledger, self._index = stores.catalog, stores.ledger, stores.index
        self._work = stores.work
        self._plan, self._writer, self._token = plan, writer, writer.token
        self._now = now

    def apply(self, items: Sequence[Work], tally: Tally) -> list[Outcome]:
        """One outcome a change: nothing more to say, or why it could not be done."""
        made: dict[AssetId, Work] = {}
        gone: list[Removal | Withdrawal] = []
        for item in items:
            if isinstance(item.change, Asset):
                made[item.change.asset_id] = item
            else:
                gone.append(item.change)
        outcomes: dict[AssetId, Outcome] = {}
        try:
            self._remove(gone, outcomes, tally)
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
        rows: list[IndexRow] = []
        for asset in accepted:
            rows += made[asset].rows
        if rows:
            self._writer.renew()
            self._index.upsert(collection, rows, writer=self._token)
        tally["rows_written"] += len(rows)
        good, bad = self._sorted(made, {asset: writings[asset] for asset in accepted})
        self._keep_cells([made[asset] for asset in good], writings)
        live = self._ledger.commit(target, good, token=self._token) if good else set()
        # all but the rows just written go: older builds, and whatever else lies there under the
        # asset's name
        keep: dict[AssetId, Collection[RowId]] = dict.fromkeys(bad, ())
        for asset in live:
            keep[asset] = {row.row_id for row in made[asset].rows}
            tally["rows_live"] += good[asset].rows
        if keep:
            self._writer.renew()
            tally["rows_removed"] += self._index.retire(collection, keep, writer=self._token)
        if live:
            builds = {asset: good[asset].build for asset in live}
            self._ledger.settle(target, builds, token=self._token)
        if bad:
            self._ledger.fail(target, bad, token=self._token)
        for asset, item in made.items():
            outcomes[asset] = self._outcome(item, settled=asset in live or asset in bad)

    def _keep_cells(self, items: Sequence[Work], writings: Mapping[AssetId, Writing]) -> None:
        """Write the cells of what is about to become live: nobody reads them before. The ledger
        knows by now that these builds are being written, so that housekeeping leaves them."""

        def keep(item: Work) -> None:
            asset = AssetId(item.change.asset_id)
            key = cells_key(asset, writings[asset].build)
            # of a build that is made once more, the cells may be others, or none
            if item.cells or self._work.head(key):
                self._work.put(key, dump(item.cells or (), TableCell))

        with ThreadPoolExecutor(KEEPERS) as keepers:
            list(keepers.map(keep, [item for item in items if item.cells is not None]))

    def _sorted(
        self, made: Mapping[AssetId, Work], writings: Mapping[AssetId, Writing]
    ) -> tuple[dict[AssetId, Made], dict[AssetId, tuple[Writing, Failure]]]:
        """The assets that have rows, and those that have none and why; those that changed meanwhile
        are left out."""
        good: dict[AssetId, Made] = {}
        bad: dict[AssetId, tuple[Writing, Failure]] = {}
        for asset, writing in writings.items():
            item = made[asset]
            if not self._unchanged(item):
                continue
            if item.rows:
                good[asset] = _made(item, writing.build)
            elif item.failure:
                bad[asset] = (writing, item.failure)
        return good, bad

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
        return []


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


def build_of(asset: Asset, product_text: str, recipes: Recipes) -> Build:
    """The build that this asset, with these words of the feed, has under the recipes of its
    kind."""
    of_kind = recipes[asset.kind]
    deciding = {stage: of_kind[stage] for stage in building() if stage in of_kind}
    return build_id(asset.source.version, product_text, deciding)


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
