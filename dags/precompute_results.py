"""### Precompute the results of popular queries

Every night at 04:00, and by hand at any time. `await_index` waits until the batches of tonight's
comparison are indexed, at most `search.await_minutes` from the start of the run: then results are
made of what is there, and say that the index was incomplete. `mine` finds the popular queries in
the query log and deals them out to shards. In each shard `standardize` turns them into standard
queries, `retrieve` finds candidates and `judge` looks at every pair of query and picture. `publish`
makes one generation of all and points `results/CURRENT` at it.

Before that, `gates` holds tonight's lists against those that are published: how many queries have
results, how many lists would be gone or empty, how much the others change. Beyond the limits in
`[search]`, `approve` waits for a person with the numbers and the worst queries; no answer within 20
hours means no, and yesterday's results stay. `publish` looks once more: if other results became
current meanwhile, and against those it is worse, it stops.
"""

from airflow.sdk import DAG, TriggerRule, task_group
from mmsearch_airflow import DEFAULTS, GPU, ReportApproval, StageOperator, approved, nightly

BATCH = "{{ ti.xcom_pull(task_ids='mine', key='report')['batch'] }}"

with DAG(
    "precompute_results",
    doc_md=__doc__,
    schedule=nightly(4),
    max_active_runs=1,  # generations come one after the other
    default_args=DEFAULTS,
    tags=["mmsearch", "search"],
):
    since = "{{ dag_run.start_date or '' }}"
    await_index = StageOperator(stage="await_index", arguments=["--since", since], retries=5)
    mine = StageOperator(stage="mine", arguments=["--run", "{{ run_id }}"], returns="shards")
    gates = StageOperator(stage="gates", arguments=[BATCH], trigger_rule=TriggerRule.NONE_FAILED)
    approve = ReportApproval(
        task_id="approve", report_of="gates", subject="Tonight's results differ too much"
    )
    publish = StageOperator(stage="publish", arguments=[BATCH, "--approve", approved("approve")])

    @task_group(prefix_group_id=False)
    def judge_shard(shard: str) -> None:
        """Everything that happens to one shard of queries."""
        standardize = StageOperator(stage="standardize", arguments=[shard], **GPU)
        retrieve = StageOperator(stage="retrieve", arguments=[shard])
        judge = StageOperator(stage="judge", arguments=[shard], **GPU)
        standardize >> retrieve >> judge

    await_index >> mine
    judge_shard.expand(shard=mine.output) >> gates >> approve >> publish
