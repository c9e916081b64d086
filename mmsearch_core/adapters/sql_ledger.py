"""The ledger in a database, through SQLAlchemy: a SQLite file by default, PostgreSQL when outgrown."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from mmsearch_core.adapters.ledger_books import PAGE, LedgerBooks
from mmsearch_core.adapters.ledger_database import pieces
from mmsearch_core.adapters.ledger_rows import (
    asset_row,
    doubted_row,
    to_failure,
    to_known,
    writing_row,
)
from mmsearch_core.adapters.ledger_schema import assets, leases, products, targets
from mmsearch_core.errors import Busy
from mmsearch_core.records.asset import Asset, Change
from mmsearch_core.records.commit import Known, Writing
from mmsearch_core.records.ids import AssetId, Build, TargetId
from mmsearch_core.records.run import Failure


class SqlLedger(LedgerBooks):
    """The commit protocol: what is being written of an asset, and what is live."""

    def known(self, target: TargetId, *, prefix: str = "") -> Iterator[list[Known]]:
        last = ""
        while True:
            with self._database.reading() as connection:
                page = connection.execute(
                    select(assets)
                    .where(
                        assets.c.target_id == target,
                        assets.c.asset_id > last,
                        assets.c.key.startswith(prefix, autoescape=True),
                    )
                    .order_by(assets.c.asset_id)
                    .limit(PAGE)
                ).mappings()
                batch = [to_known(row) for row in page]
            if not batch:
                return
            last = batch[-1].asset_id
            yield batch

    def look_up(self, target: TargetId, names: Sequence[AssetId]) -> dict[AssetId, Known]:
        found: dict[AssetId, Known] = {}
        with self._database.reading() as connection:
            for piece in pieces(names):
                rows = connection.execute(
                    select(assets).where(assets.c.target_id == target, assets.c.asset_id.in_(piece))
                ).mappings()
                found.update((AssetId(row["asset_id"]), to_known(row)) for row in rows)
        return found

    def begin(self, target: TargetId, writings: Sequence[Writing], *, token: int) -> set[AssetId]:
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            later = _observed_later(connection, target, writings)
            accepted = [writing for writing in writings if writing.asset.asset_id not in later]
            _take_back_charges(connection, target, accepted)
            rows = [writing_row(target, writing) for writing in accepted]
            kept = ("live_build", "attempts")  # a reader sees the old build until the commit
            self._database.upsert(connection, assets, rows, keep=kept)
        return {writing.asset.asset_id for writing in accepted}

    def commit(self, target: TargetId, builds: Mapping[AssetId, Build], *, token: int) -> set[AssetId]:
        live: set[AssetId] = set()
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            now = datetime.now(UTC)
            for asset, build in builds.items():
                done = connection.execute(
                    update(assets)
                    .where(assets.c.target_id == target, assets.c.asset_id == asset, assets.c.target_build == build)
                    .values(live_build=build, attempts=0, changed_at=now, **_NO_FAILURE)
                )
                if done.rowcount:
                    live.add(asset)
            _count_commit(connection, target)
        return live

    def settle(self, target: TargetId, builds: Mapping[AssetId, Build], *, token: int) -> None:
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            for asset, build in builds.items():
                mine = and_(assets.c.target_id == target, assets.c.asset_id == asset, assets.c.live_build == build)
                done = and_(mine, assets.c.target_build == build)
                connection.execute(update(assets).where(done).values(state="live"))

    def doubt(self, target: TargetId, changes: Sequence[Change]) -> None:
        rows = [doubted_row(target, change) for change in changes]
        with self._database.writing() as connection:
            self._database.upsert(connection, assets, rows, keep=[name for name in rows[0] if name != "state"])

    def forget(self, target: TargetId, names: Sequence[AssetId], *, token: int) -> None:
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            for piece in pieces(names):
                connection.execute(delete(assets).where(assets.c.target_id == target, assets.c.asset_id.in_(piece)))
            _count_commit(connection, target)

    def fail(self, target: TargetId, failures: Mapping[AssetId, tuple[Writing, Failure]], *, token: int) -> None:
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            for asset, (writing, failure) in failures.items():
                connection.execute(
                    update(assets)
                    .where(
                        assets.c.target_id == target,
                        assets.c.asset_id == asset,
                        assets.c.target_build == writing.build,
                    )
                    .values(
                        live_build=None,
                        state="failed",
                        attempts=assets.c.attempts + 1,
                        failure_stage=failure.stage,
                        failure_kind=failure.kind,
                        failure_message=failure.message,
                        changed_at=datetime.now(UTC),
                    )
                )
            _count_commit(connection, target)

    def wait_for_product(self, target: TargetId, waiting: Sequence[Asset]) -> None:
        now = datetime.now(UTC)
        rows = [
            {**asset_row(target, asset), "state": "waiting_for_product", "product_text": "", "changed_at": now}
            for asset in waiting
        ]
        with self._database.writing() as connection:
            for piece in pieces(rows):
                ids = [row["asset_id"] for row in piece]
                known = select(assets.c.asset_id).where(assets.c.target_id == target, assets.c.asset_id.in_(ids))
                there = set(connection.execute(known).scalars())
                self._database.upsert(connection, assets, [row for row in piece if row["asset_id"] not in there])

    def counts(self, target: TargetId) -> dict[str, int]:
        with self._database.reading() as connection:
            states = select(assets.c.state, func.count()).where(assets.c.target_id == target).group_by(assets.c.state)
            counted = {str(state): int(number) for state, number in connection.execute(states)}
            sold = connection.execute(select(func.count()).select_from(products)).scalar()
        return {"live": 0, "failed": 0, **counted, "products": int(sold or 0)}

    def failures(self, target: TargetId, *, limit: int) -> list[tuple[str, Failure]]:
        with self._database.reading() as connection:
            rows = connection.execute(
                select(assets)
                .where(assets.c.target_id == target, assets.c.state == "failed")
                .order_by(assets.c.changed_at.desc(), assets.c.key)
                .limit(limit)
            ).mappings()
            return [(row["key"], to_failure(row)) for row in rows]


_NO_FAILURE: dict[str, None] = {"failure_stage": None, "failure_kind": None, "failure_message": None}


def _check_token(connection: Connection, target: TargetId, token: int) -> None:
    held = select(leases.c.token).where(leases.c.name == f"index:{target}", leases.c.holder != "")
    if connection.execute(held).scalar() != token:
        raise Busy(f"The lease index:{target} was taken over: this process must not write any more.")


def _count_commit(connection: Connection, target: TargetId) -> None:
    one_more = targets.c.commit_number + 1
    connection.execute(update(targets).where(targets.c.target_id == target).values(commit_number=one_more))


def _take_back_charges(connection: Connection, target: TargetId, writings: Sequence[Writing]) -> None:
    """A build that failed and is begun again from the same look at its object is a retry, not another attempt."""
    for piece in pieces(writings):
        same = or_(
            *(
                and_(assets.c.asset_id == writing.asset.asset_id, assets.c.observed_at == writing.observed_at)
                for writing in piece
            )
        )
        charged = and_(assets.c.target_id == target, assets.c.state == "failed", assets.c.attempts > 0, same)
        connection.execute(update(assets).where(charged).values(attempts=assets.c.attempts - 1))


def _observed_later(connection: Connection, target: TargetId, writings: Sequence[Writing]) -> set[AssetId]:
    later: set[AssetId] = set()
    for piece in pieces(writings):
        newer = or_(
            *(
                and_(assets.c.asset_id == writing.asset.asset_id, assets.c.observed_at > writing.observed_at)
                for writing in piece
            )
        )
        found = connection.execute(select(assets.c.asset_id).where(assets.c.target_id == target, newer))
        later.update(AssetId(name) for (name,) in found)
    return later
