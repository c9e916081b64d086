"""### Index some of the catalog again, or with other models

Start it from the form for any days, or as a **backfill**: one run a day of upload (`LastModified`,
UTC), in either order, some at a time; a run by the clock does nothing. Without stages to redo it
indexes what is missing; it never removes anything.

`estimate` says what it would cost: assets, model calls that the memo does not save, GPU-seconds,
minutes. Over the budget, `approve` waits for a person, and no answer within 20 hours means no (an
answer given in the first seconds may get lost in Airflow 3.3.2, which then asks again). `select`
hands the batches to `index_backfill`. With other models a second collection is filled beside the
one that is searched.
"""

from airflow.sdk import DAG
from mmsearch_airflow import (
    BACKFILL,
    DEFAULTS,
    ReportApproval,
    StageOperator,
    backfill_batch,
    nightly,
)
from mmsearch_airflow.forms import BACKFILL_FORM, BACKFILL_REQUEST

with DAG(
    "catalog_backfill",
    doc_md=__doc__,
    schedule=nightly(0),  # only a DAG with a clock can be backfilled
    params=BACKFILL_FORM,
    max_active_runs=2,
    default_args={**DEFAULTS, **BACKFILL},
    tags=["mmsearch", "index"],
):
    request = ["--request", BACKFILL_REQUEST]
    estimate = StageOperator(stage="estimate", arguments=request)
    approve = ReportApproval(
        task_id="approve", report_of="estimate", subject="A backfill is over its budget"
    )
    select = StageOperator(
        stage="select", arguments=request, returns="batches", partitions=backfill_batch
    )
    estimate >> approve >> select
