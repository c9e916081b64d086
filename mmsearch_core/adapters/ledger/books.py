"""The ledger's books: targets, batches and leases; what is live of each asset is kept on top of
them."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, cast

from sqlalchemy import and_, case, delete, func, select, update

from mmsearch_core.adapters.ledger.database import LedgerDatabase, pieces
from mmsearch_core.adapters.ledger.products import LedgerProducts
from mmsearch_core.adapters.ledger.rows import in_utc, target_row, to_target
from mmsearch_core.adapters.ledger.schema import assets, batches, leases, targets
from mmsearch_core.errors import Busy
from mmsearch_core.ports.ledger import LOST
from mmsearch_core.records.batch import BatchStatus, OpenBatch
from mmsearch_core.records.ids import BatchId, TargetId
from mmsearch_core.records.target import Target
from mmsearch_core.shards.lease import AHEAD

NOT_DONE = ("open", "failed")


class LedgerBooks(LedgerProducts):
    """Each method that writes is one transaction. Connects on first use."""

    def __init__(self, url: str) -> None:
        self._database = LedgerDatabase(url)

    def upgrade(self) -> bool:
        """Bring the tables up to date; whether there was anything to do."""
        return self._database.upgrade()

    def targets(self) -> list[Target]:
        with self._database.reading() as connection:
            found = connection.execute(
                select(targets)
                .where(targets.c.status != "retired")
                .order_by(targets.c.created_at, targets.c.target_id)
            )
            return [to_target(row) for row in found.mappings()]

    def add_target(self, target: Target) -> Target:
        mine = targets.c.target_id == target.target_id
        with self._database.writing() as connection:
            self._database.insert_new(connection, targets, target_row(target))
            there = (
                connection.execute(select(targets).where(mine).with_for_update()).mappings().one()
            )
            if there["collection_uuid"] != target.collection_uuid:
                connection.execute(delete(assets).where(assets.c.target_id == target.target_id))
                connection.execute(
                    update(targets).where(mine).values(collection_uuid=target.collection_uuid)
                )
                lost = {
                    "batch_id": f"lost-{target.collection_uuid}"[:64],
                    "target_id": target.target_id,
                }
                self._database.insert_new(connection, batches, {**lost, **_open_batch(LOST)})
            status = "building" if there["status"] == "retired" else there["status"]
            connection.execute(update(targets).where(mine).values(status=status))
            return to_target({**there, "collection_uuid": target.collection_uuid, "status": status})

    def set_status(self, target: TargetId, status: Literal["live", "retired"]) -> None:
        mine = targets.c.target_id == target
        with self._database.writing() as connection:
            if status == "live":
                others = case((mine, "live"), else_="building")
                connection.execute(
                    update(targets).where(targets.c.status != "retired").values(status=others)
                )
            else:
                connection.execute(delete(assets).where(assets.c.target_id == target))
                connection.execute(update(targets).where(mine).values(status="retired"))

    def commit_number(self, target: TargetId) -> int:
        with self._database.reading() as connection:
            found = connection.execute(
                select(targets.c.commit_number).where(targets.c.target_id == target)
            )
            return int(found.scalar() or 0)

    def open_batch(self, batch: BatchId, *, target: TargetId, source: str) -> None:
        with self._database.writing() as connection:
            row = {"batch_id": batch, "target_id": target, **_open_batch(source)}
            self._database.insert_new(connection, batches, row)

    def close_batch(
        self, batch: BatchId, *, status: Literal["done", "failed"], counts: Mapping[str, int]
    ) -> None:
        with self._database.writing() as connection:
            mine = batches.c.batch_id == batch
            connection.execute(
                update(batches).where(mine).values(status=status, counts=dict(counts))
            )

    def open_batches(self, target: TargetId) -> int:
        with self._database.reading() as connection:
            mine = and_(batches.c.target_id == target, batches.c.status.in_(NOT_DONE))
            return int(
                connection.execute(select(func.count()).select_from(batches).where(mine)).scalar()
                or 0
            )

    def unfinished_batches(self, target: TargetId) -> list[OpenBatch]:
        mine = and_(batches.c.target_id == target, batches.c.status.in_(NOT_DONE))
        with self._database.reading() as connection:
            found = connection.execute(
                select(batches).where(mine).order_by(batches.c.opened_at, batches.c.batch_id)
            ).mappings()
            return [
                OpenBatch(
                    batch=BatchId(row["batch_id"]),
                    source=row["source"],
                    status=row["status"],
                    opened_at=in_utc(row["opened_at"]),
                )
                for row in found
            ]

    def batch_status(self, batch: BatchId) -> BatchStatus | None:
        with self._database.reading() as connection:
            found = connection.execute(
                select(batches.c.status).where(batches.c.batch_id == batch)
            ).scalar()
            return cast(BatchStatus | None, found)

    def supersede_batches(self, names: Sequence[BatchId]) -> None:
        with self._database.writing() as connection:
            for piece in pieces(names):
                mine = and_(batches.c.batch_id.in_(piece), batches.c.status.in_(NOT_DONE))
                connection.execute(update(batches).where(mine).values(status="superseded"))

    def take_lease(self, name: str, *, holder: str, seconds: float) -> int:
        now = time.time()
        with self._database.writing() as connection:
            self._database.insert_new(
                connection, leases, {"name": name, "holder": "", "token": 0, "expires": 0.0}
            )
            mine = leases.c.name == name
            there = (
                connection.execute(select(leases).where(mine).with_for_update()).mappings().one()
            )
            held = now < there["expires"] <= now + AHEAD * seconds
            if held and there["holder"] not in ("", holder):
                raise Busy(f"Another process holds {name}: wait until it is done.")
            same = there["holder"] == holder and held
            token = int(there["token"]) + (0 if same else 1)
            values = {"holder": holder, "token": token, "expires": now + seconds}
            connection.execute(update(leases).where(mine).values(**values))
            return token

    def raise_token(self, name: str, at_least: int) -> None:
        with self._database.writing() as connection:
            self._database.insert_new(
                connection, leases, {"name": name, "holder": "", "token": 0, "expires": 0.0}
            )
            lower = and_(leases.c.name == name, leases.c.token < at_least)
            nobodys = {"token": at_least, "holder": "", "expires": 0.0}
            connection.execute(update(leases).where(lower).values(**nobodys))

    def give_lease(self, name: str, *, holder: str) -> None:
        with self._database.writing() as connection:
            mine = and_(leases.c.name == name, leases.c.holder == holder)
            connection.execute(update(leases).where(mine).values(holder="", expires=0.0))


def _open_batch(source: str) -> dict[str, Any]:
    return {"source": source, "status": "open", "counts": {}, "opened_at": datetime.now(UTC)}
