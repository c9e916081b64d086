"""What the DAGs of mmsearch are made of. Nothing here imports mmsearch_core or tasks: a stage is a
command."""

from mmsearch_airflow.approval import ReportApproval, approved
from mmsearch_airflow.defaults import (
    DEFAULTS,
    GPU,
    INDEX,
    backfill_batch,
    catalog_batch,
    event_batch,
    nightly,
    weekly,
)
from mmsearch_airflow.lanes import BACKFILL, EVENTS, NIGHTLY, index_line
from mmsearch_airflow.operator import StageOperator

__all__ = [
    "BACKFILL",
    "DEFAULTS",
    "EVENTS",
    "GPU",
    "INDEX",
    "NIGHTLY",
    "ReportApproval",
    "StageOperator",
    "approved",
    "backfill_batch",
    "catalog_batch",
    "event_batch",
    "index_line",
    "nightly",
    "weekly",
]
