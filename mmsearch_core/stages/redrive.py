"""redrive: failures get another chance, by reason, and not for ever: what failed three times is parked until its object
or a recipe changes."""

from collections import Counter
from typing import Any

import structlog

from mmsearch_core.catalog.manifest import Manifest, hand_out
from mmsearch_core.ports import Stores
from mmsearch_core.records.ids import AssetId, BatchId
from mmsearch_core.records.run import Target
from mmsearch_core.settings import Settings
from mmsearch_core.stages.housekeeping import Housekeeping
from mmsearch_core.stages.pace import batch_size

log = structlog.get_logger()


def run(*, asked: Housekeeping, target: Target, stores: Stores, settings: Settings) -> dict[str, Any]:
    """Write the manifests and record the batches; the task's report counts by reason what is driven and parked."""
    failures = stores.ledger.failures(target.target_id, limit=settings.housekeeping.redriven)
    known = stores.ledger.look_up(target.target_id, [AssetId(failure.record_id) for _, failure in failures])
    driven: Counter[str] = Counter()
    parked: Counter[str] = Counter()
    keys = []
    for key, failure in failures:
        was = known.get(AssetId(failure.record_id))
        reason = f"{failure.stage}: {failure.kind}"
        if was is None or was.state != "failed" or (asked.reasons and failure.kind not in asked.reasons):
            continue
        if was.attempts >= settings.housekeeping.attempts:
            parked[reason] += 1
            continue
        driven[reason] += 1
        keys.append(key)
    batches = [] if asked.dry_run else _hand_out(sorted(keys), asked.run, target, stores, settings)
    log.info("redrive.done", batches=len(batches), driven=dict(driven), parked=dict(parked), dry_run=asked.dry_run)
    counts = {"driven": dict(driven), "parked": dict(parked)}
    return {"stage": "redrive", "batches": batches, "dry_run": asked.dry_run, **counts}


def _hand_out(keys: list[str], run_name: str, target: Target, stores: Stores, settings: Settings) -> list[BatchId]:
    batches = []
    size = batch_size(settings.backfill.shards, stores.work, settings)
    for start in range(0, len(keys), size):
        manifest = Manifest(
            batch=BatchId(""),
            source=f"redrive {run_name}",
            keys=tuple(keys[start : start + size]),
            partial=True,
            retry=True,
        )
        batches.append(hand_out(manifest, f"redrive {run_name}", target, stores))
    return batches
