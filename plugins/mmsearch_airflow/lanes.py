"""The index line, once for events, once for what a comparison finds and once for backfills: the
same tasks in three lanes."""

from typing import Any

from airflow.sdk import TriggerRule, task_group

from mmsearch_airflow.defaults import GPU, INDEX
from mmsearch_airflow.operator import StageOperator

# Airflow gives free slots of a pool to the heavier task first.
EVENTS: dict[str, Any] = {"priority_weight": 20, "weight_rule": "absolute"}
NIGHTLY: dict[str, Any] = {"priority_weight": 10, "weight_rule": "absolute"}
# A backfill has one task at a time on a GPU, and none while an event's task waits for the last
# slot.
BACKFILL: dict[str, Any] = {"priority_weight": 1, "weight_rule": "absolute"}
SHARE: dict[str, Any] = {"max_active_tis_per_dag": 1}


def index_line(lane: dict[str, Any]) -> None:
    """Plan the batch that the run's partition names, bring its shards through the stages, and close
    it."""
    gpu = {**GPU, **lane, **(SHARE if lane is BACKFILL else {})}
    plan = StageOperator(stage="plan", arguments=["{{ partition_key }}"], returns="shards", **lane)
    close = StageOperator(
        stage="close", arguments=["{{ partition_key }}"], trigger_rule=TriggerRule.ALL_DONE, **lane
    )

    @task_group(prefix_group_id=False)  # type: ignore[untyped-decorator]
    def index_shard(shard: str) -> None:
        """Everything that happens to one shard."""
        decode = StageOperator(stage="decode", arguments=[shard], **lane)
        read_tables = StageOperator(stage="read_tables", arguments=[shard], **lane)
        describe = StageOperator(stage="describe", arguments=[shard], **gpu)
        embed_text = StageOperator(stage="embed_text", arguments=[shard], **gpu)
        embed_image = StageOperator(stage="embed_image", arguments=[shard], **gpu)
        upsert = StageOperator(stage="upsert", arguments=[shard], **INDEX, **lane)
        decode >> describe >> embed_text >> upsert
        decode >> read_tables >> embed_text
        decode >> embed_image >> upsert

    index_shard.expand(shard=plan.output) >> close
