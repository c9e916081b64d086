"""select: what a backfill asks for becomes batches. Nothing is ever removed by one: what a listing
of one day does not show may lie in another."""

import structlog

from mmsearch_core.catalog.look import plain_name
from mmsearch_core.catalog.manifest import Manifest, hand_out
from mmsearch_core.catalog.selection import Selection, selected
from mmsearch_core.catalog.spooled import in_order
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.ids import BatchId
from mmsearch_core.records.report import SelectReport
from mmsearch_core.records.target import Target
from mmsearch_core.settings import Settings
from mmsearch_core.shards.pace import batch_size

log = structlog.get_logger()


def run(*, asked: Selection, target: Target, stores: Stores, settings: Settings) -> SelectReport:
    """Write the manifests and record the batches; a dry run makes none. Returns the task's
    report."""
    found = (ref.key for ref in selected(stores.catalog, settings.catalog.prefix, asked))
    size = batch_size(settings.backfill.shards, stores.work, settings)
    run_name = f"backfill {asked.name} {target.target_id}"
    assets = 0
    batches = []
    for keys in in_order(found, size):
        assets += len(keys)
        if asked.dry_run:
            continue
        manifest = Manifest(
            batch=BatchId(""),
            source=f"backfill {asked.run}",
            keys=keys,
            listed=tuple(key for key in keys if plain_name(key) != key),
            partial=True,
            redo=tuple(asked.redo),
            models=dict(asked.models),
        )
        batches.append(hand_out(manifest, run_name, target, stores))
    log.info("select.done", assets=assets, batches=len(batches), dry_run=asked.dry_run)
    return SelectReport(batches=tuple(batches), assets=assets, dry_run=asked.dry_run)
