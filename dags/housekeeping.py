"""### Let go of what nobody reads again, and try again what failed

Every Sunday at 06:00, and by hand. `sweep` takes rows out of the index that the ledger does not
know. `expire` takes old runs, answers of recipes that nothing uses, generations that stopped being
current, and pixels that no row refers to; nothing young goes. `redrive` hands failures to
`index_backfill` once more; what failed three times is parked, with its reason and count in the
report, until its object or a recipe changes.

With *dry run* each only reports what it would do.
"""

from airflow.sdk import DAG
from mmsearch_airflow import BACKFILL, DEFAULTS, INDEX, StageOperator, backfill_batch, weekly
from mmsearch_airflow.forms import HOUSEKEEPING_FORM, HOUSEKEEPING_REQUEST

with DAG(
    "housekeeping",
    doc_md=__doc__,
    schedule=weekly("SUN", 6),
    params=HOUSEKEEPING_FORM,
    max_active_runs=1,
    default_args={**DEFAULTS, **BACKFILL},
    tags=["mmsearch", "housekeeping"],
):
    request = ["--request", HOUSEKEEPING_REQUEST]
    sweep = StageOperator(stage="sweep", arguments=request, **INDEX)
    expire = StageOperator(stage="expire", arguments=request)
    redrive = StageOperator(
        stage="redrive", arguments=request, returns="batches", partitions=backfill_batch
    )
    sweep >> expire >> redrive
