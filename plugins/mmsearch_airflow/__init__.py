"""What the DAGs of mmsearch are made of. Nothing here imports mmsearch_core or tasks: a stage is a command."""

from mmsearch_airflow.defaults import DEFAULTS, GPU, INDEX, catalog_batch, nightly
from mmsearch_airflow.operator import StageOperator

__all__ = ["DEFAULTS", "GPU", "INDEX", "StageOperator", "catalog_batch", "nightly"]
