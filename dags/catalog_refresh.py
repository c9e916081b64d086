"""### Compare the catalog bucket with what is indexed

Every night at 02:00, and by hand at any time. `compare` lists the bucket (or reads an S3 Inventory
of it), joins that with the ledger and cuts what was added, changed or removed into batches. Each
batch is one partition of the asset `catalog_batch`, and each partition starts one run of
`index_catalog`.

More removals in one night than `catalog.removed_share` allows, of pictures from the bucket or of
products from the feed, fail the task, which says how many there are: if they are meant to be gone,
trigger the DAG with that number as `approve_removals`. Lines of the feed that cannot be read are
counted in `report`, the first few with their reason; of the products that they name, what was known
stays.

In between it holds the rows of the index against the ledger: what was lost or altered counts as
changed, rows that belong to nobody are deleted, and the report and the page of each batch say how
many there were.

`compare` is **skipped** when nothing changed; its counts are in the XCom `report` all the same.
`compare_beside` does the same for the index of the models in `[beside]`, in the lane of backfills;
it is skipped where there are none.
"""

from airflow.sdk import DAG, Param
from mmsearch_airflow import DEFAULTS, StageOperator, backfill_batch, catalog_batch, nightly

with DAG(
    "catalog_refresh",
    doc_md=__doc__,
    schedule=nightly(2),
    max_active_runs=1,  # two comparisons at once would find the same changes
    params={
        "approve_removals": Param(
            0, type="integer", minimum=0, description="So many may go unasked."
        )
    },
    default_args=DEFAULTS,
    tags=["mmsearch", "index"],
):
    arguments = ["--run", "{{ run_id }}", "--approve-removals", "{{ params.approve_removals }}"]
    StageOperator(stage="compare", arguments=arguments, returns="batches", partitions=catalog_batch)
    StageOperator(
        task_id="compare_beside",
        stage="compare",
        arguments=[*arguments, "--beside", "1"],
        returns="batches",
        partitions=backfill_batch,
    )
