"""The ledger in a database, through SQLAlchemy: a SQLite file by default, PostgreSQL when outgrown."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa
from sqlalchemy import Connection, and_, bindparam, delete, func, select, update

from mmsearch_core.adapters.ledger_books import LedgerBooks
from mmsearch_core.adapters.ledger_database import pieces
from mmsearch_core.adapters.ledger_products import PAGE
from mmsearch_core.adapters.ledger_rows import (
    COLUMNS,
    KNOWN,
    asset_row,
    doubted_row,
    in_utc,
    to_columns,
    to_failure,
    to_known,
    writing_row,
)
from mmsearch_core.adapters.ledger_schema import assets, leases, products, targets
from mmsearch_core.errors import Busy
from mmsearch_core.records.asset import Asset, Change
from mmsearch_core.records.commit import Known, Writing
from mmsearch_core.records.ids import AssetId, Build, ProductId, TargetId
from mmsearch_core.records.run import Failure


class SqlLedger(LedgerBooks):
    """The commit protocol: what is being written of an asset, and what is live."""

    def known(self, target: TargetId, *, prefix: str = "") -> Iterator[list[Known]]:
        last = ""
        while True:
            with self._database.reading() as connection:
                page = connection.execute(
                    select(*KNOWN)
                    .where(
                        assets.c.target_id == target,
                        assets.c.asset_id > last,
                        assets.c.key.startswith(prefix, autoescape=True),
                    )
                    .order_by(assets.c.asset_id)
                    .limit(PAGE)
                )
                batch = [to_known(row) for row in page]
            if not batch:
                return
            last = batch[-1].asset_id
            yield batch

    def known_columns(self, target: TargetId, *, prefix: str = "") -> Iterator[pa.RecordBatch]:
        mine = and_(assets.c.target_id == target, assets.c.key.startswith(prefix, autoescape=True))
        # nearly every row is wanted: SQLite's index would only lead it through the table in a random order
        query = select(*COLUMNS).where(mine).with_hint(assets, "NOT INDEXED", "sqlite")
        with self._database.reading() as connection:
            found = connection.execution_options(stream_results=True, max_row_buffer=PAGE).execute(query)
            for rows in found.partitions(PAGE):
                yield to_columns(rows)

    def look_up(self, target: TargetId, names: Sequence[AssetId]) -> dict[AssetId, Known]:
        found: dict[AssetId, Known] = {}
        with self._database.reading() as connection:
            for piece in pieces(names):
                mine = and_(assets.c.target_id == target, assets.c.asset_id.in_(piece))
                known = map(to_known, connection.execute(select(*KNOWN).where(mine)))
                found.update((one.asset_id, one) for one in known)
        return found

    def assets_of_products(self, target: TargetId, products: Sequence[ProductId]) -> list[Known]:
        found: list[Known] = []
        with self._database.reading() as connection:
            for piece in pieces(products):
                mine = and_(assets.c.target_id == target, assets.c.product_id.in_(piece))
                found += map(to_known, connection.execute(select(*KNOWN).where(mine)))
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
            for piece in pieces(list(builds)):
                mine = and_(assets.c.target_id == target, assets.c.asset_id.in_(piece))
                wanted = connection.execute(select(assets.c.asset_id, assets.c.target_build).where(mine))
                still = [name for name, build in wanted if build == builds[name]]
                done = {"live_build": assets.c.target_build, "attempts": 0, **_NO_FAILURE}
                these = and_(assets.c.target_id == target, assets.c.asset_id.in_(still))
                connection.execute(update(assets).where(these).values(changed_at=datetime.now(UTC), **done))
                live.update(still)
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
            rows = [
                {"name": asset, "build": writing.build, "why": f.stage, "how": f.kind, "said": f.message}
                for asset, (writing, f) in sorted(failures.items())
            ]
            if rows:
                connection.execute(_FAIL.values(changed_at=datetime.now(UTC)), [{"of": target, **row} for row in rows])
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


_FAIL = (
    update(assets)
    .where(
        assets.c.target_id == bindparam("of"),
        assets.c.asset_id == bindparam("name"),
        assets.c.target_build == bindparam("build"),
    )
    .values(
        live_build=None,
        state="failed",
        attempts=assets.c.attempts + 1,
        failure_stage=bindparam("why"),
        failure_kind=bindparam("how"),
        failure_message=bindparam("said"),
    )
)


def _check_token(connection: Connection, target: TargetId, token: int) -> None:
    """And hold the lease's row to the end of the transaction, so that nobody takes the lease over in between."""
    held = select(leases.c.token).where(leases.c.name == f"index:{target}", leases.c.holder != "").with_for_update()
    if connection.execute(held).scalar() != token:
        raise Busy(f"The lease index:{target} was taken over: this process must not write any more.")


def _count_commit(connection: Connection, target: TargetId) -> None:
    one_more = targets.c.commit_number + 1
    connection.execute(update(targets).where(targets.c.target_id == target).values(commit_number=one_more))


def _take_back_charges(connection: Connection, target: TargetId, writings: Sequence[Writing]) -> None:
    """A build that failed and is begun again from the same look at its object is a retry, not another attempt."""
    ours = {writing.asset.asset_id: writing.observed_at for writing in writings}
    for piece in pieces(list(ours)):
        mine = and_(assets.c.target_id == target, assets.c.asset_id.in_(piece), assets.c.observed_at.is_not(None))
        charged = and_(mine, assets.c.state == "failed", assets.c.attempts > 0)
        failed = connection.execute(select(assets.c.asset_id, assets.c.observed_at).where(charged))
        again = [name for name, observed in failed if in_utc(observed) == ours[name]]
        if again:
            these = and_(assets.c.target_id == target, assets.c.asset_id.in_(again))
            connection.execute(update(assets).where(these).values(attempts=assets.c.attempts - 1))


def _observed_later(connection: Connection, target: TargetId, writings: Sequence[Writing]) -> set[AssetId]:
    ours = {writing.asset.asset_id: writing.observed_at for writing in writings}
    later: set[AssetId] = set()
    for piece in pieces(list(ours)):
        mine = and_(assets.c.target_id == target, assets.c.asset_id.in_(piece), assets.c.observed_at.is_not(None))
        for name, theirs in connection.execute(select(assets.c.asset_id, assets.c.observed_at).where(mine)):
            if in_utc(theirs) > ours[name]:
                later.add(AssetId(name))
    return later
