"""### Index one batch of what has just changed

The same line as `index_catalog`, in a lane of its own: for every partition of the asset
`event_batch`, which `catalog_inbox` makes. A night may hand out many batches, and one of them takes
hours; whatever was uploaded meanwhile does not stand in their queue, and its tasks get the next
free slot of every pool.
"""

from airflow.sdk import DAG, PartitionedAssetTimetable
from mmsearch_airflow import DEFAULTS, EVENTS, event_batch, index_line

with DAG(
    "index_events",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=event_batch),
    max_active_runs=2,  # one batch is decoded while another has the GPU
    default_args=DEFAULTS,
    tags=["mmsearch", "index"],
):
    index_line(EVENTS)
