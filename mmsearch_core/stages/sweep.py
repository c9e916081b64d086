"""sweep: rows of the index that the ledger does not know go. Searches pass over them anyway; they only take room."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import structlog

from mmsearch_core.ports import Ledger, Stores
from mmsearch_core.records.ids import AssetId, Build, TargetId
from mmsearch_core.stages.housekeeping import Housekeeping, Removals
from mmsearch_core.stages.upsert import Writer

log = structlog.get_logger()

PIECE = 1_000
LEASE_SECONDS = 60
Row = tuple[str, AssetId, Build]


def run(*, asked: Housekeeping, stores: Stores) -> dict[str, Any]:
    """The task's report. Rows of an asset that is being written are left to whoever writes it."""
    removals = Removals(dry_run=asked.dry_run)
    for target in stores.ledger.targets():
        if stores.index.uuid(target.collection) != target.collection_uuid:
            continue  # lost, or another's: the next comparison makes it anew
        for piece in _pieces(stores.index.builds(target.collection)):
            orphans = _orphans(stores.ledger, target.target_id, piece)
            if orphans and not asked.dry_run:
                _retire(stores, target.target_id, target.collection, [row for _, row, _ in orphans])
            removals.of("rows", [name for name, _, _ in orphans], lambda _: None)
    log.info("sweep.done", dry_run=asked.dry_run, **removals.counts)
    return {"stage": "sweep", **removals.report()}


def _retire(stores: Stores, target: TargetId, collection: str, assets: Sequence[AssetId]) -> None:
    """Under the lease of the target's one writer, and by what the ledger says then."""
    with Writer(stores.ledger, target, uuid.uuid4().hex, LEASE_SECONDS) as writer:
        known = stores.ledger.look_up(target, assets)
        keep = {
            asset: was.live_build if (was := known.get(asset)) else None
            for asset in assets
            if asset not in known or known[asset].state != "writing"
        }
        stores.index.retire(collection, keep, writer=writer.token)


def _orphans(ledger: Ledger, target: TargetId, rows: Sequence[Row]) -> list[Row]:
    known = ledger.look_up(target, list({asset for _, asset, _ in rows}))
    settled = {asset: was.live_build for asset, was in known.items() if was.state != "writing"}
    return [
        (name, asset, build)
        for name, asset, build in rows
        if asset not in known or (asset in settled and settled[asset] != build)
    ]


def _pieces(rows: Iterable[Row]) -> Iterator[list[Row]]:
    piece: list[Row] = []
    for row in rows:
        piece.append(row)
        if len(piece) == PIECE:
            yield piece
            piece = []
    yield piece
