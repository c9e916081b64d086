"""### Index one batch of the catalog

Starts by itself for every partition of the asset `catalog_batch`; the partition key is the batch.
To do a batch again, clear its run, or trigger a run with its key: work that is done is skipped, and
so is all of a batch whose work a later comparison handed out again.

`plan` freezes the batch and cuts it into shards; every shard goes through the same line. A shard
that fails does not stop the others. `close` adds all reports up, writes the run's page and alone
decides whether the batch has failed.
"""

from airflow.sdk import DAG, PartitionedAssetTimetable
from mmsearch_airflow import DEFAULTS, NIGHTLY, catalog_batch, index_line

with DAG(
    "index_catalog",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=catalog_batch),
    max_active_runs=2,  # one batch is decoded while another has the GPU
    default_args=DEFAULTS,
    tags=["mmsearch", "index"],
):
    index_line(NIGHTLY)
