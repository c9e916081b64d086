"""### Index one batch of a backfill

The same line as `index_catalog`, in a lane of its own: for every partition of the asset
`backfill_batch`, one batch at a time, behind whatever `index_catalog` has to do. What is searched
switches to no other collection by it.
"""

from airflow.sdk import DAG, PartitionedAssetTimetable
from mmsearch_airflow import BACKFILL, DEFAULTS, backfill_batch, index_line

with DAG(
    "index_backfill",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=backfill_batch),
    max_active_runs=1,
    max_active_tasks=2,  # the rest of the machine is for what comes by itself
    default_args=DEFAULTS,
    tags=["mmsearch", "index"],
):
    index_line(BACKFILL)
