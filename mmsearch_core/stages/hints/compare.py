"""compare: what the bucket and the feed say against what the ledger knows, as one set join, cut
into batches. Before that the index is held against the ledger (``audit``), so that whatever it lost
is among the changes.

Nothing here is believed for good: a batch holds hints (keys), and the plan looks at every object
again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import structlog
from more_itertools import chunked

from mmsearch_core.catalog import inventory
from mmsearch_core.catalog.keys import ProductOf
from mmsearch_core.catalog.look import plain_name
from mmsearch_core.catalog.manifest import Manifest, hand_out
from mmsearch_core.catalog.set_join import LISTING, Spool, Verdicts
from mmsearch_core.catalog.take_feed import take_feed
from mmsearch_core.errors import TooManyRemovals
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.ledger import LOST
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.ids import BatchId, digest
from mmsearch_core.records.report import CompareReport
from mmsearch_core.records.target import Target
from mmsearch_core.serving.withdraw import withdraw
from mmsearch_core.settings import Catalog, Settings
from mmsearch_core.shards.pace import batch_size
from mmsearch_core.shards.targets import of_comparisons
from mmsearch_core.stages.hints import audit
from mmsearch_core.stages.index.switch import go_live

log = structlog.get_logger()


def run(
    *,
    run_id: str,
    target: Target,
    stores: Stores,
    settings: Settings,
    models: Mapping[str, str] = MappingProxyType({}),
    approved_removals: int = 0,
) -> CompareReport:
    """Compare, write the manifests, record the batches; returns the task's report. No batch where
    nothing changed. ``models`` are the target's where they are not those of the settings: such a
    target is kept current, not searched.
    """
    catalog, ledger = stores.catalog, stores.ledger
    # before the bucket is listed: later ones may know more
    earlier = ledger.unfinished_batches(target.target_id)
    rebuilt = any(batch.source == LOST for batch in earlier)
    if rebuilt:
        log.warning(
            "compare.collection_lost",
            collection=target.collection,
            now="all of it is handed out again",
        )
    source = f"compare {run_id}" + (
        f" ({target.collection} was lost and is built again)" if rebuilt else ""
    )
    report = _report(stores, settings.catalog)
    batches = []
    with own_folder() as folder:
        feed = take_feed(
            catalog, ledger, settings.catalog, folder=Path(folder), approved=approved_removals
        )
        spool = Spool(Path(folder))
        lines = _lines(stores, report, settings.catalog, spool.folder)
        spool.listing(lines, ProductOf(settings.catalog.product_pattern))
        # before the ledger is read: what the index lost counts as changed from now on
        audited = audit.run(
            target=target,
            stores=stores,
            settings=settings,
            listing=spool.folder / LISTING,
            approved=approved_removals,
        )
        spool.ledger(ledger, target.target_id)
        listed_at = report.created / 1000 if report else None
        with spool.joined(catalog.bucket, settings.catalog.prefix, listed_at) as verdicts:
            counts = verdicts.counts() | audited
            check_removals(counts, settings.catalog, approved_removals)
            for asked in _asked(verdicts, batch_size(settings.shards.most, stores.work, settings)):
                manifest = replace(asked, source=source, compared=counts, models=models)
                batches.append(hand_out(manifest, f"compare {run_id}", target, stores))
    ledger.end_feed(feed.state)
    withdraw(stores.work, ledger)
    # what earlier comparisons left undone is in these batches; an event's own batch comes sooner
    # than they do, and what a backfill or a second try asks for, no comparison sees
    covered = {batch.batch for batch in of_comparisons(earlier)} - set(batches)
    ledger.supersede_batches(sorted(covered))
    whole = counts["unchanged"] and not batches and not models
    waits = go_live(target, stores, settings.index) if whole else ""
    if report:
        inventory.remember(stores.work, report)
    counts |= feed.counts
    log.info("compare.done", batches=len(batches), **counts)
    return CompareReport(
        batches=tuple(batches),
        counts=counts,
        target=target.target_id,
        rebuilt=target.collection if rebuilt else "",
        switch_waits=waits,
        feed_problems=tuple(feed.problems),
    )


def check_removals(counts: Mapping[str, int], settings: Catalog, approved: int) -> None:
    """TooManyRemovals if more of the index would go than may go unasked: a bucket is more often
    lost than emptied."""
    gone, known = counts["removed"], counts["known"]
    if gone <= max(settings.removed_at_least, approved) or gone <= settings.removed_share * known:
        return
    raise TooManyRemovals(
        f"{gone} of {known} pictures are gone from s3://{settings.bucket}/{settings.prefix}, more"
        f" than catalog.removed_share allows ({settings.removed_share:.0%}): if that is meant,"
        f" trigger catalog_refresh with approve_removals={gone}."
    )


def _asked(verdicts: Verdicts, size: int) -> Iterator[Manifest]:
    """What each batch is asked to look at; the batch has no name yet."""
    for hints in verdicts.hints(size):
        listed = [hint.key for hint in hints if hint.listed and plain_name(hint.key) != hint.key]
        seen = digest(*(hint.seen for hint in hints))
        keys = tuple(hint.key for hint in hints)
        yield Manifest(batch=BatchId(""), source="", keys=keys, listed=tuple(listed), seen=seen)
    for moved in verdicts.moved(size):
        yield Manifest(batch=BatchId(""), source="", keys=(), moved=moved)


def _report(stores: Stores, settings: Catalog) -> inventory.Report | None:
    """The inventory report to go by; None where the bucket is listed."""
    if settings.inventory is None or stores.inventory is None:
        return None
    report = inventory.find(stores.inventory, settings.inventory, catalog=settings.bucket)
    inventory.check_newer(stores.work, report)
    return report


def _lines(
    stores: Stores, report: inventory.Report | None, settings: Catalog, folder: Path
) -> Iterator[list[inventory.Line]]:
    """(key, version) of the pictures, in batches; a key that ends in a slash is a folder that some
    program drew."""
    if report is None or stores.inventory is None:
        found = ((there.key, there.version) for there in stores.catalog.list(settings.prefix))
        batches: Iterator[list[inventory.Line]] = chunked(found, inventory.LINES)
    else:
        batches = inventory.lines(stores.inventory, report, folder)
    for batch in batches:
        yield [
            line
            for line in batch
            if line[0].startswith(settings.prefix) and not line[0].endswith("/")
        ]
