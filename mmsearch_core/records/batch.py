"""A batch as the ledger keeps it: who handed it out, and how it stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mmsearch_core.records.ids import BatchId

BatchStatus = Literal["open", "done", "failed", "superseded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch that was handed out and is neither done nor superseded."""

    batch: BatchId
    source: str  # who handed it out: a stage and a run
    status: BatchStatus  # "open" or "failed"
    opened_at: datetime
