"""The ledger in a database, through SQLAlchemy: a SQLite file by default, PostgreSQL when
outgrown."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)

from mmsearch_core.adapters.ledger.books import LedgerBooks
from mmsearch_core.adapters.ledger.database import again_after_conflict, pieces
from mmsearch_core.adapters.ledger.products import PAGE
from mmsearch_core.adapters.ledger.rows import (
    BUILT,
    COLUMNS,
    KNOWN,
    NO_FAILURE,
    asset_row,
    doubted_row,
    in_utc,
    to_built,
    to_columns,
    to_failure,
    to_known,
    writing_row,
)
from mmsearch_core.adapters.ledger.schema import assets, leases, products, targets
from mmsearch_core.errors import Busy
from mmsearch_core.records.asset import Asset, Change
from mmsearch_core.records.commit import Known, Made, Writing
from mmsearch_core.records.ids import AssetId, Build, ProductId, TargetId
from mmsearch_core.records.report import Failure


class SqlLedger(LedgerBooks):
    """The commit protocol: what is being written of an asset, and what is live.

    Every method that writes locks its assets in the order of their ids, so that no two wait for
    each other; the lease's row, where one is checked, comes first."""

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
        # nearly every row is wanted: SQLite's index would only lead it through the table in a
        # random order
        query = select(*COLUMNS).where(mine).with_hint(assets, "NOT INDEXED", "sqlite")
        with self._database.reading() as connection:
            found = connection.execution_options(stream_results=True, max_row_buffer=PAGE).execute(
                query
            )
            for rows in found.partitions(PAGE):
                yield to_columns(rows)

    def built_columns(
        self, target: TargetId, names: Sequence[AssetId] | None = None
    ) -> Iterator[pa.RecordBatch]:
        mine = assets.c.target_id == target
        with self._database.reading() as connection:
            if names is None:
                query = select(*BUILT).where(mine).with_hint(assets, "NOT INDEXED", "sqlite")
                found = connection.execution_options(
                    stream_results=True, max_row_buffer=PAGE
                ).execute(query)
                for rows in found.partitions(PAGE):
                    yield to_built(rows)
                return
            for piece in pieces(names):
                named = connection.execute(
                    select(*BUILT).where(mine, assets.c.asset_id.in_(piece))
                ).all()
                if named:
                    yield to_built(named)

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

    @again_after_conflict
    def begin(self, target: TargetId, writings: Sequence[Writing], *, token: int) -> set[AssetId]:
        in_order = sorted(writings, key=lambda writing: writing.asset.asset_id)
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            later = _observed_later(connection, target, in_order)
            accepted = [writing for writing in in_order if writing.asset.asset_id not in later]
            _take_back_charges(connection, target, accepted)
            rows = [writing_row(target, writing) for writing in accepted]
            # a reader sees the old build until the commit
            self._database.upsert(connection, assets, rows, computed=_of_this_version)
        return {writing.asset.asset_id for writing in accepted}

    @again_after_conflict
    def commit(self, target: TargetId, made: Mapping[AssetId, Made], *, token: int) -> set[AssetId]:
        now = datetime.now(UTC)
        live: set[AssetId] = set()
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            for piece in pieces(sorted(made)):
                mine = and_(assets.c.target_id == target, assets.c.asset_id.in_(piece))
                wanted = select(assets.c.asset_id, assets.c.target_build).where(mine)
                locked = connection.execute(wanted.order_by(assets.c.asset_id).with_for_update())
                still = [AssetId(name) for name, build in locked if build == made[name].build]
                live.update(still)
                whole = [
                    _made(target, name, made[name], now) for name in still if not made[name].failure
                ]
                lacking = [
                    _made(target, name, made[name], now) for name in still if made[name].failure
                ]
                for statement, rows in ((_COMMIT, whole), (_COMMIT_LACKING, lacking)):
                    if rows:
                        connection.execute(statement, rows)
            _count_commit(connection, target)
        return live

    @again_after_conflict
    def settle(self, target: TargetId, builds: Mapping[AssetId, Build], *, token: int) -> None:
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            for asset, build in sorted(builds.items()):
                mine = and_(
                    assets.c.target_id == target,
                    assets.c.asset_id == asset,
                    assets.c.live_build == build,
                )
                done = and_(mine, assets.c.target_build == build)
                connection.execute(update(assets).where(done).values(state="live"))

    @again_after_conflict
    def doubt(self, target: TargetId, changes: Sequence[Change]) -> None:
        rows = [
            doubted_row(target, change)
            for change in sorted(changes, key=lambda change: change.asset_id)
        ]
        with self._database.writing() as connection:
            self._database.upsert(
                connection, assets, rows, keep=[name for name in rows[0] if name != "state"]
            )

    @again_after_conflict
    def forget(self, target: TargetId, names: Sequence[AssetId], *, token: int) -> None:
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            for piece in pieces(sorted(names)):
                mine = and_(assets.c.target_id == target, assets.c.asset_id.in_(piece))
                _lock(connection, target, piece)
                connection.execute(delete(assets).where(mine))
            _count_commit(connection, target)

    @again_after_conflict
    def fail(
        self, target: TargetId, failures: Mapping[AssetId, tuple[Writing, Failure]], *, token: int
    ) -> None:
        now = datetime.now(UTC)
        rows = [
            {"of": target, "name": asset, "made": writing.build, "now": now, **_failure(failure)}
            for asset, (writing, failure) in sorted(failures.items())
        ]
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            if rows:
                connection.execute(_FAIL, rows)
            _count_commit(connection, target)

    @again_after_conflict
    def wait_for_product(self, target: TargetId, waiting: Sequence[Asset]) -> None:
        now = datetime.now(UTC)
        rows = [
            {
                **asset_row(target, asset),
                "state": "waiting_for_product",
                "product_text": "",
                "changed_at": now,
            }
            for asset in sorted(waiting, key=lambda asset: asset.asset_id)
        ]
        with self._database.writing() as connection:
            self._database.insert_new(connection, assets, *rows)

    def counts(self, target: TargetId) -> dict[str, int]:
        with self._database.reading() as connection:
            states = (
                select(assets.c.state, func.count())
                .where(assets.c.target_id == target)
                .group_by(assets.c.state)
            )
            counted = {str(state): int(number) for state, number in connection.execute(states)}
            lacking = (
                select(func.count())
                .select_from(assets)
                .where(_failed(target), assets.c.state == "live")
            )
            incomplete = connection.execute(lacking).scalar()
            sold = connection.execute(select(func.count()).select_from(products)).scalar()
        return {
            "live": 0,
            "failed": 0,
            **counted,
            "incomplete": int(incomplete or 0),
            "products": int(sold or 0),
        }

    def failures(self, target: TargetId, *, limit: int) -> list[tuple[str, Failure]]:
        newest = (
            select(assets)
            .where(_failed(target))
            .order_by(assets.c.changed_at.desc(), assets.c.key)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [(row["key"], to_failure(row)) for row in connection.execute(newest).mappings()]

    def redrivable(
        self, target: TargetId, *, attempts: int, kinds: Collection[str] = (), limit: int
    ) -> list[tuple[str, Failure]]:
        left = select(assets).where(_failed(target, kinds), assets.c.attempts < attempts)
        in_turn = left.order_by(
            assets.c.redriven_at.asc().nulls_first(), assets.c.changed_at, assets.c.key
        )
        with self._database.reading() as connection:
            return [
                (row["key"], to_failure(row))
                for row in connection.execute(in_turn.limit(limit)).mappings()
            ]

    @again_after_conflict
    def set_redriven(self, target: TargetId, names: Sequence[AssetId]) -> None:
        with self._database.writing() as connection:
            last = connection.execute(
                select(func.max(assets.c.redriven_at)).where(_failed(target))
            ).scalar()
            now = datetime.now(UTC)
            # after every turn before it, also where a clock was ahead then
            turn = max(now, in_utc(last) + timedelta(microseconds=1)) if last else now
            for piece in pieces(sorted(names)):
                _lock(connection, target, piece)
                mine = and_(_failed(target), assets.c.asset_id.in_(piece))
                connection.execute(update(assets).where(mine).values(redriven_at=turn))

    def parked(
        self, target: TargetId, *, attempts: int, kinds: Collection[str] = ()
    ) -> dict[tuple[str, str], int]:
        reason = (assets.c.failure_stage, assets.c.failure_kind)
        often = select(*reason, func.count()).where(
            _failed(target, kinds), assets.c.attempts >= attempts
        )
        with self._database.reading() as connection:
            return {
                (stage, kind): count
                for stage, kind, count in connection.execute(often.group_by(*reason))
            }


_MINE = and_(
    assets.c.target_id == bindparam("of"),
    assets.c.asset_id == bindparam("name"),
    assets.c.target_build == bindparam("made"),
)
_WITHOUT_FAILURE: dict[str, Any] = {"attempts": 0, "redriven_at": None, **NO_FAILURE}
_WITH_FAILURE: dict[str, Any] = {
    "attempts": assets.c.attempts + 1,
    "failure_stage": bindparam("why"),
    "failure_kind": bindparam("how"),
    "failure_message": bindparam("said"),
}
_LIVE: dict[str, Any] = {
    "live_build": assets.c.target_build,
    "rows": bindparam("count"),
    "content": bindparam("sum"),
    "changed_at": bindparam("now"),
}
_GONE: dict[str, Any] = {
    "live_build": None,
    "state": "failed",
    "rows": 0,
    "content": "",
    "changed_at": bindparam("now"),
}
_COMMIT = update(assets).where(_MINE).values(**_LIVE, **_WITHOUT_FAILURE)
_COMMIT_LACKING = update(assets).where(_MINE).values(**_LIVE, **_WITH_FAILURE)
_FAIL = update(assets).where(_MINE).values(**_GONE, **_WITH_FAILURE)


def _made(target: TargetId, name: AssetId, made: Made, now: datetime) -> dict[str, Any]:
    row = {
        "of": target,
        "name": name,
        "made": made.build,
        "now": now,
        "count": made.rows,
        "sum": made.content,
    }
    return row | (_failure(made.failure) if made.failure else {})


def _failure(failure: Failure) -> dict[str, str]:
    return {"why": failure.stage, "how": failure.kind, "said": failure.message}


def _failed(target: TargetId, kinds: Collection[str] = ()) -> ColumnElement[bool]:
    """As the partial index says it."""
    of = and_(assets.c.target_id == target, assets.c.failure_kind.is_not(None))
    return and_(of, assets.c.failure_kind.in_(kinds)) if kinds else of


def _of_this_version(new: Any) -> dict[str, Any]:
    """Attempts are of one version of the source: other bytes have not been tried yet."""
    same = assets.c.source_version == new.source_version
    return {
        "attempts": case((same, assets.c.attempts), else_=0),
        "redriven_at": case((same, assets.c.redriven_at), else_=None),
    }


def _lock(connection: Connection, target: TargetId, names: Sequence[AssetId]) -> None:
    """Rows in the order of their ids, which an UPDATE or DELETE of many does not promise."""
    mine = and_(assets.c.target_id == target, assets.c.asset_id.in_(names))
    connection.execute(
        select(assets.c.asset_id).where(mine).order_by(assets.c.asset_id).with_for_update()
    ).all()


def _check_token(connection: Connection, target: TargetId, token: int) -> None:
    """And hold the lease's row to the end of the transaction, so that nobody takes the lease over
    in between."""
    held = (
        select(leases.c.token)
        .where(leases.c.name == f"index:{target}", leases.c.holder != "")
        .with_for_update()
    )
    if connection.execute(held).scalar() != token:
        raise Busy(
            f"The lease index:{target} was taken over: this process must not write any more."
        )


def _count_commit(connection: Connection, target: TargetId) -> None:
    one_more = targets.c.commit_number + 1
    connection.execute(
        update(targets).where(targets.c.target_id == target).values(commit_number=one_more)
    )


def _take_back_charges(
    connection: Connection, target: TargetId, writings: Sequence[Writing]
) -> None:
    """A build of which something failed and that is begun again from the same look at its object is
    a retry, not another attempt."""
    ours = {writing.asset.asset_id: writing.observed_at for writing in writings}
    for piece in pieces(list(ours)):
        mine = and_(
            _failed(target), assets.c.asset_id.in_(piece), assets.c.observed_at.is_not(None)
        )
        charged = and_(mine, assets.c.attempts > 0)
        failed = connection.execute(select(assets.c.asset_id, assets.c.observed_at).where(charged))
        again = [name for name, observed in failed if in_utc(observed) == ours[name]]
        if again:
            these = and_(assets.c.target_id == target, assets.c.asset_id.in_(again))
            connection.execute(update(assets).where(these).values(attempts=assets.c.attempts - 1))


def _observed_later(
    connection: Connection, target: TargetId, writings: Sequence[Writing]
) -> set[AssetId]:
    """And lock what is known of these assets, so that it stays true until they are written."""
    ours = {writing.asset.asset_id: writing.observed_at for writing in writings}
    later: set[AssetId] = set()
    for piece in pieces(list(ours)):
        mine = and_(assets.c.target_id == target, assets.c.asset_id.in_(piece))
        seen = (
            select(assets.c.asset_id, assets.c.observed_at).where(mine).order_by(assets.c.asset_id)
        )
        for name, theirs in connection.execute(seen.with_for_update()):
            if theirs and in_utc(theirs) > ours[name]:
                later.add(AssetId(name))
    return later
