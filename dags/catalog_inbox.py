"""### Take in what the catalog bucket says has changed

Starts by itself, within seconds, while messages wait in the bucket's queue. `drain` records what
they name as a batch and deletes them; the batch is a partition of the asset `event_batch`, which
starts a run of `index_events`.

The shop's feed comes the same way. One that is empty, cut off or cannot be read holds up no
picture: `report` says why it was refused, and `catalog_refresh` stops for it at night.

A start is only a hint: `drain` is **skipped** when no message names a picture. While this DAG is
switched off, messages wait in the queue; what never came is found by `catalog_refresh` at night.
Before the first `catalog_refresh` there is no index to bring up to date: messages wait too.
"""

from airflow.sdk import DAG, Asset, AssetWatcher
from mmsearch_airflow import DEFAULTS, StageOperator, event_batch
from mmsearch_airflow.doorbell import Doorbell

catalog_queue = Asset(
    name="catalog_queue",
    uri="mmsearch://catalog_queue",
    watchers=[AssetWatcher(name="doorbell", trigger=Doorbell())],
)

with DAG(
    "catalog_inbox",
    doc_md=__doc__,
    schedule=[catalog_queue],
    max_active_runs=1,  # one drain after the other: what comes meanwhile rings again
    default_args=DEFAULTS,
    tags=["mmsearch", "index"],
):
    StageOperator(
        stage="drain",
        arguments=["--run", "{{ run_id }}"],
        returns="batches",
        partitions=event_batch,
    )
