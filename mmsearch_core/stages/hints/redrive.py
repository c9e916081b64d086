"""redrive: failures get another chance, by reason, and not for ever: what failed three times is
parked until its object or a recipe changes."""

from collections import Counter

import structlog
from more_itertools import chunked

from mmsearch_core.catalog.manifest import Manifest, hand_out
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.ids import AssetId, BatchId
from mmsearch_core.records.report import RedriveReport
from mmsearch_core.records.target import Target
from mmsearch_core.settings import Settings
from mmsearch_core.shards.pace import batch_size
from mmsearch_core.stages.upkeep.housekeeping import Housekeeping

log = structlog.get_logger()


def run(
    *, asked: Housekeeping, target: Target, stores: Stores, settings: Settings
) -> RedriveReport:
    """Write the manifests and record the batches; the task's report counts by reason what is driven
    and parked. What was never driven comes first, then what was longest ago, so that everything has
    its turn."""
    ledger, most = stores.ledger, settings.housekeeping.attempts
    failures = ledger.redrivable(
        target.target_id, attempts=most, kinds=asked.reasons, limit=settings.housekeeping.redriven
    )
    driven: Counter[str] = Counter()
    keys: list[str] = []
    names: list[AssetId] = []
    for key, failure in failures:
        driven[f"{failure.stage}: {failure.kind}"] += 1
        keys.append(key)
        names.append(AssetId(failure.record_id))
    counted = ledger.parked(target.target_id, attempts=most, kinds=asked.reasons)
    parked = {f"{stage}: {kind}": count for (stage, kind), count in sorted(counted.items())}
    batches = []
    if failures and not asked.dry_run:
        batches = _hand_out(sorted(keys), asked.run, target, stores, settings)
        ledger.set_redriven(target.target_id, names)
    log.info(
        "redrive.done",
        batches=len(batches),
        driven=dict(driven),
        parked=parked,
        dry_run=asked.dry_run,
    )
    return RedriveReport(
        batches=tuple(batches), driven=driven, parked=parked, dry_run=asked.dry_run
    )


def _hand_out(
    keys: list[str], run_name: str, target: Target, stores: Stores, settings: Settings
) -> list[BatchId]:
    batches = []
    size = batch_size(settings.backfill.shards, stores.work, settings)
    for piece in chunked(keys, size):
        manifest = Manifest(
            batch=BatchId(""),
            source=f"redrive {run_name}",
            keys=tuple(piece),
            partial=True,
            retry=True,
        )
        batches.append(hand_out(manifest, f"redrive {run_name}", target, stores))
    return batches
