"""### Index one batch of the catalog

Starts by itself for every partition of the asset `catalog_batch`; the partition key is the batch. To do a batch again,
clear its run, or trigger a run with its key: work that is done is skipped.

`plan` freezes the batch and cuts it into shards; every shard goes through the same line. A shard that fails does not
stop the others. `close` adds all reports up and alone decides whether the batch has failed.
"""

from airflow.sdk import DAG, PartitionedAssetTimetable, TriggerRule, task_group
from mmsearch_airflow import DEFAULTS, GPU, INDEX, StageOperator, catalog_batch

with DAG(
    "index_catalog",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=catalog_batch),
    max_active_runs=2,  # one batch is decoded while another has the GPU
    default_args=DEFAULTS,
    tags=["mmsearch", "index"],
):
    plan = StageOperator(stage="plan", arguments=["{{ partition_key }}"], returns="shards")
    close = StageOperator(stage="close", arguments=["{{ partition_key }}"], trigger_rule=TriggerRule.ALL_DONE)

    @task_group(prefix_group_id=False)
    def index_shard(shard: str) -> None:
        """Everything that happens to one shard."""
        decode = StageOperator(stage="decode", arguments=[shard])
        describe = StageOperator(stage="describe", arguments=[shard], **GPU)
        embed_text = StageOperator(stage="embed_text", arguments=[shard], **GPU)
        embed_image = StageOperator(stage="embed_image", arguments=[shard], **GPU)
        upsert = StageOperator(stage="upsert", arguments=[shard], **INDEX)
        decode >> describe >> embed_text >> upsert
        decode >> embed_image >> upsert

    index_shard.expand(shard=plan.output) >> close
