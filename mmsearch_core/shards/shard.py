"""A shard's folder in the work bucket, and the plan of the batch that it is of."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import structlog

from mmsearch_core.codec import from_json
from mmsearch_core.errors import StageMissing
from mmsearch_core.layout import batch_of_shard, file_key, plan_key, report_key
from mmsearch_core.parquet import dump, load
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.report import Failure, ShardReport

log = structlog.get_logger()


def find_plan(store: ObjectStore, batch: str) -> Plan | None:
    """The frozen plan of a batch, if it was planned; StageMissing if an older mmsearch planned
    it."""
    data = store.get(plan_key(batch))
    if data is None:
        return None
    try:
        return from_json(data, Plan)
    except ValueError as error:
        raise StageMissing(
            f"The plan of batch {batch} was made by another version of mmsearch: clear the run from"
            " its first task, so that it is planned again."
        ) from error


def read_plan(store: ObjectStore, batch: str) -> Plan:
    """The frozen plan of a batch; StageMissing if it was not planned."""
    plan = find_plan(store, batch)
    if plan is None:
        raise StageMissing(f"Batch {batch} has no plan: run the plan (or mine) stage first.")
    return plan


class Shard:
    """A folder of work in the store: one Parquet file a kind of record, reports beside them."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        self.store, self.path = store, path.rstrip("/")
        self.batch = batch_of_shard(self.path)
        self._files: dict[str, bytes] = {}

    def data(self, name: str) -> bytes:
        """The bytes of a file of the shard; StageMissing if it is not there."""
        if name not in self._files:
            found = self.store.get(file_key(self.path, name))
            if found is None:
                raise StageMissing(
                    f"{self.path}/{name}.parquet is missing: run the stage that writes it first."
                )
            self._files[name] = found
        return self._files[name]

    def read(self, name: str, record_type: Any) -> list[Any]:
        """The records of a file."""
        return load(self.data(name), record_type)

    def write(self, name: str, records: Sequence[Any], record_type: Any) -> str:
        """Write a file; returns the sha256 of its bytes."""
        data = dump(records, record_type)
        self.store.put(file_key(self.path, name), data)
        self._files[name] = data
        return sha256(data).hexdigest()

    def report(self, stage: str) -> ShardReport | None:
        """The stage's report, if it has finished here. One that cannot be read, since it is damaged
        or another version of mmsearch wrote it, counts as none: the stage is done again."""
        data = self.store.get(report_key(self.path, stage))
        try:
            return from_json(data, ShardReport) if data else None
        except ValueError:
            log.warning("shard.report_unreadable", shard=self.path, stage=stage)
            return None

    def failures(self, stage: str) -> list[Failure]:
        """What the stage could not do."""
        return self.read(f"failures/{stage}", Failure)
