"""sweep: rows of the index that the ledger does not know go, in every target. Searches pass over
them anyway; they only take room. The target that is compared every night is swept by that
(``audit``), the others only here."""

from collections.abc import Iterator, Sequence

import structlog

from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.ids import RowId
from mmsearch_core.records.report import RemovalReport
from mmsearch_core.settings import Catalog
from mmsearch_core.stages.hints.audit import Audit, Differences
from mmsearch_core.stages.upkeep.housekeeping import Housekeeping, Removals

log = structlog.get_logger()


def run(*, asked: Housekeeping, stores: Stores, settings: Catalog) -> RemovalReport:
    """The task's report. Rows of an asset that is being written are left to whoever writes it; so
    are rows of unknown assets where they are more of an index than may go unasked, since then the
    ledger is rather another's."""
    removals = Removals(dry_run=asked.dry_run)
    for target in stores.ledger.targets():
        audit = Audit(stores, target)
        if not audit.is_there():
            continue  # lost, or another's: the next comparison makes it anew
        with audit.compared() as found:
            unknown = found.unknown()
            too_many = unknown > max(
                settings.removed_at_least, settings.removed_share * found.rows()
            )
            if too_many:
                log.warning("sweep.left", collection=target.collection, rows=unknown)
            for rows in _ghosts(audit, found, unknown=not too_many, dry_run=asked.dry_run):
                removals.of("rows", rows, lambda _: None)
    log.info("sweep.done", dry_run=asked.dry_run, **removals.counts)
    return removals.report("sweep")


def _ghosts(
    audit: Audit, found: Differences, *, unknown: bool, dry_run: bool
) -> Iterator[Sequence[RowId]]:
    """The ids of rows that were removed, or in a dry run would be."""
    pieces = found.ghosts(unknown=unknown)
    if not dry_run:
        yield from audit.remove(pieces)
        return
    for piece in pieces:
        yield [ghost.row_id for ghost in piece]
