"""### Go back to older results

By hand, from the form. `rollback` points `results/CURRENT` at the generation that you name, or at
the parent of the current one, and holds it: no night publishes until `mmsearch release`. A run that
is tried again goes no further back.
"""

from airflow.sdk import DAG
from mmsearch_airflow import DEFAULTS, StageOperator
from mmsearch_airflow.forms import ROLLBACK_FORM, ROLLBACK_REQUEST

with DAG(
    "results_rollback",
    doc_md=__doc__,
    schedule=None,
    params=ROLLBACK_FORM,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["mmsearch", "search"],
):
    StageOperator(stage="rollback", arguments=["--request", ROLLBACK_REQUEST])
