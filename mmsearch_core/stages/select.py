"""select: what a backfill asks for becomes batches. Nothing is ever removed by one: what a listing of one day does not
show may lie in another."""

from typing import Any

import structlog

from mmsearch_core.catalog.manifest import Manifest, manifest_key
from mmsearch_core.catalog.selection import Selection, selected
from mmsearch_core.codec import to_json
from mmsearch_core.ports import Stores
from mmsearch_core.records.ids import BatchId, digest
from mmsearch_core.records.run import Target
from mmsearch_core.settings import Settings

log = structlog.get_logger()


def run(*, asked: Selection, target: Target, stores: Stores, settings: Settings) -> dict[str, Any]:
    """Write the manifests and record the batches; a dry run makes none. Returns the task's report."""
    keys = sorted(found.key for found in selected(stores.catalog, settings.catalog.pictures, asked))
    size = settings.shards.size * settings.backfill.shards
    recipes = [f"{stage}={recipe}" for stage, recipe in sorted(target.recipes.items())]
    batches = []
    for number, start in enumerate(range(0, 0 if asked.dry_run else len(keys), size)):
        batch = BatchId(digest("backfill", asked.name, *recipes, str(number))[:16])
        manifest = Manifest(
            batch=batch,
            source=f"backfill {asked.run}",
            keys=tuple(keys[start : start + size]),
            partial=True,
            redo=tuple(asked.redo),
            models=dict(asked.models),
        )
        stores.work.put(manifest_key(batch), to_json(manifest))
        stores.ledger.open_batch(batch, target=target.target_id, source=manifest.source)
        batches.append(batch)
    log.info("select.done", assets=len(keys), batches=len(batches), dry_run=asked.dry_run)
    return {"stage": "select", "batches": batches, "assets": len(keys), "dry_run": asked.dry_run}
