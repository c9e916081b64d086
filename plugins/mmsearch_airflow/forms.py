"""The forms that people fill in to start a run, and how their fields reach a stage."""

from airflow.sdk import Param

KINDS = ["picture", "video", "document"]
REMEMBERED = ["read_tables", "describe", "embed_text", "embed_image"]

BACKFILL_FORM = {
    "prefix": Param(
        "",
        type="string",
        title="Key prefix",
        description="Under the pictures' own prefix; all if empty.",
    ),
    "kinds": Param(
        KINDS, type="array", items={"type": "string", "enum": KINDS}, examples=KINDS, title="Kinds"
    ),
    "first_day": Param(
        None,
        type=["null", "string"],
        format="date",
        title="First day of upload",
        description="UTC. A run of a backfill has its own day.",
    ),
    "last_day": Param(None, type=["null", "string"], format="date", title="Last day of upload"),
    "redo": Param(
        [],
        type="array",
        items={"type": "string", "enum": REMEMBERED},
        examples=REMEMBERED,
        title="Stages to redo",
        description=(
            "They ask their models again, whatever the memo holds. None: only what is missing is"
            " done."
        ),
    ),
    "vlm": Param(
        "", type="string", title="Qwen3-VL", description="Instead of models.vlm.", section="Models"
    ),
    "clip": Param(
        "", type="string", title="CLIP", description="Instead of models.clip.", section="Models"
    ),
    "sbert": Param(
        "", type="string", title="SBERT", description="Instead of models.sbert.", section="Models"
    ),
    "budget_minutes": Param(
        None,
        type=["null", "number"],
        minimum=0,
        title="Budget in minutes",
        description="Over it a person is asked; backfill.budget_minutes of the settings if empty.",
    ),
    "dry_run": Param(
        False, type="boolean", title="Dry run", description="Estimate, and do nothing."
    ),
}
HOUSEKEEPING_FORM = {
    "reasons": Param(
        [],
        type="array",
        items={"type": "string"},
        title="Reasons to try again",
        description="Kinds of failures, like UnreadableMedia; all if empty.",
    ),
    "dry_run": Param(
        False, type="boolean", title="Dry run", description="Report, and remove nothing."
    ),
}
ROLLBACK_FORM = {
    "generation": Param(
        "",
        type="string",
        title="Generation",
        description="As it is named under results/; the parent of the current one if empty.",
    ),
}
# `tojson` escapes what a template or a shell could take for its own
BACKFILL_REQUEST = (
    "{{ dict(params, run=dag.dag_id ~ ' ' ~ run_id, partition=partition_key | default(none),"
    " by_clock=dag_run.run_type == 'scheduled') | tojson }}"
)
HOUSEKEEPING_REQUEST = "{{ dict(params, run=run_id) | tojson }}"
ROLLBACK_REQUEST = "{{ dict(params, run=dag.dag_id ~ ' ' ~ run_id) | tojson }}"
