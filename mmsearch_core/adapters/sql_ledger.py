"""The ledger in a database, through SQLAlchemy: a SQLite file by default, PostgreSQL when outgrown."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, case, delete, func, or_, select, update

from mmsearch_core.adapters.ledger_database import LedgerDatabase, pieces
from mmsearch_core.adapters.ledger_schema import assets, batches, leases, products, targets
from mmsearch_core.errors import Busy
from mmsearch_core.ports import Known, Writing
from mmsearch_core.records.asset import Asset, Product
from mmsearch_core.records.ids import AssetId, BatchId, Build, ProductId, RecipeId, TargetId
from mmsearch_core.records.run import Failure, Target

PAGE = 5_000
PRODUCT = ("product_id", "title", "url", "price", "currency", "in_stock", "facts")


class SqlLedger:
    """Each method that writes is one transaction. Connects on first use."""

    def __init__(self, url: str) -> None:
        self._database = LedgerDatabase(url)

    def targets(self) -> list[Target]:
        with self._database.reading() as connection:
            found = connection.execute(
                select(targets).where(targets.c.status != "retired").order_by(targets.c.created_at, targets.c.target_id)
            )
            return [_target(row) for row in found.mappings()]

    def add_target(self, target: Target) -> Target:
        mine = targets.c.target_id == target.target_id
        with self._database.writing() as connection:
            there = connection.execute(select(targets).where(mine)).mappings().first()
            if there is None:
                connection.execute(
                    targets.insert().values(
                        target_id=target.target_id,
                        collection=target.collection,
                        collection_uuid=target.collection_uuid,
                        recipes=dict(target.recipes),
                        status=target.status,
                        commit_number=0,
                        created_at=datetime.now(UTC),
                    )
                )
                return target
            if there["collection_uuid"] != target.collection_uuid:
                connection.execute(delete(assets).where(assets.c.target_id == target.target_id))
                connection.execute(update(targets).where(mine).values(collection_uuid=target.collection_uuid))
            return _target({**there, "collection_uuid": target.collection_uuid})

    def go_live(self, target: TargetId) -> None:
        with self._database.writing() as connection:
            status = case((targets.c.target_id == target, "live"), else_="building")
            connection.execute(update(targets).where(targets.c.status != "retired").values(status=status))

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
                batch = [_known(row) for row in page]
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
                found.update((AssetId(row["asset_id"]), _known(row)) for row in rows)
        return found

    def begin(self, target: TargetId, writings: Sequence[Writing], *, token: int) -> set[AssetId]:
        with self._database.writing() as connection:
            _check_token(connection, target, token)
            later = _observed_later(connection, target, writings)
            accepted = [writing for writing in writings if writing.asset.asset_id not in later]
            rows = [_writing_row(target, writing) for writing in accepted]
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
                    .values(live_build=build, state="live", attempts=0, changed_at=now, **_NO_FAILURE)
                )
                if done.rowcount:
                    live.add(asset)
            _count_commit(connection, target)
        return live

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
            {**_asset_row(target, asset), "state": "waiting_for_product", "product_text": "", "changed_at": now}
            for asset in waiting
        ]
        with self._database.writing() as connection:
            self._database.upsert(connection, assets, rows, keep=("live_build", "attempts"))

    def commit_number(self, target: TargetId) -> int:
        with self._database.reading() as connection:
            found = connection.execute(select(targets.c.commit_number).where(targets.c.target_id == target))
            return int(found.scalar() or 0)

    def put_products(self, feed: Iterable[Product]) -> int:
        changed = 0
        for piece in pieces(list(feed)):
            with self._database.writing() as connection:
                there = select(products.c.product_id, products.c.facts_digest)
                ids = [product.product_id for product in piece]
                known = {name: facts for name, facts in connection.execute(there.where(products.c.product_id.in_(ids)))}
                new = [product for product in piece if known.get(product.product_id) != product.facts_digest]
                self._database.upsert(connection, products, [_product_row(product) for product in new])
                changed += len(new)
        return changed

    def products(self, ids: Sequence[ProductId]) -> dict[ProductId, Product]:
        found: dict[ProductId, Product] = {}
        with self._database.reading() as connection:
            for piece in pieces(ids):
                for row in connection.execute(select(products).where(products.c.product_id.in_(piece))).mappings():
                    fields = {**{name: row[name] for name in PRODUCT}, "in_stock": bool(row["in_stock"])}
                    found[ProductId(row["product_id"])] = Product(**fields)
        return found

    def product_texts(self) -> Iterator[list[tuple[ProductId, str]]]:
        last = ""
        while True:
            with self._database.reading() as connection:
                page = connection.execute(
                    select(products.c.product_id, products.c.text_digest)
                    .where(products.c.product_id > last)
                    .order_by(products.c.product_id)
                    .limit(PAGE)
                )
                batch = [(ProductId(product), str(text)) for product, text in page]
            if not batch:
                return
            last = batch[-1][0]
            yield batch

    def open_batch(self, batch: BatchId, *, target: TargetId, source: str) -> None:
        with self._database.writing() as connection:
            if connection.execute(select(batches.c.batch_id).where(batches.c.batch_id == batch)).first() is None:
                row = {"batch_id": batch, "target_id": target, "source": source, "status": "open", "counts": {}}
                connection.execute(batches.insert().values(**row, opened_at=datetime.now(UTC)))

    def close_batch(self, batch: BatchId, *, status: Literal["done", "failed"], counts: Mapping[str, int]) -> None:
        with self._database.writing() as connection:
            mine = batches.c.batch_id == batch
            connection.execute(update(batches).where(mine).values(status=status, counts=dict(counts)))

    def open_batches(self, target: TargetId) -> int:
        with self._database.reading() as connection:
            mine = and_(batches.c.target_id == target, batches.c.status == "open")
            return int(connection.execute(select(func.count()).select_from(batches).where(mine)).scalar() or 0)

    def take_lease(self, name: str, *, holder: str, seconds: float) -> int:
        now = time.time()
        with self._database.writing() as connection:
            there = connection.execute(select(leases).where(leases.c.name == name)).mappings().first()
            if there is None:
                connection.execute(leases.insert().values(name=name, holder=holder, token=1, expires=now + seconds))
                return 1
            if there["expires"] > now and there["holder"] not in ("", holder):
                raise Busy(f"Another process holds {name}: wait until it is done.")
            same = there["holder"] == holder and there["expires"] > now
            token = int(there["token"]) + (0 if same else 1)
            values = {"holder": holder, "token": token, "expires": now + seconds}
            connection.execute(update(leases).where(leases.c.name == name).values(**values))
            return token

    def give_lease(self, name: str, *, holder: str) -> None:
        with self._database.writing() as connection:
            mine = and_(leases.c.name == name, leases.c.holder == holder)
            connection.execute(update(leases).where(mine).values(holder="", expires=0.0))

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
            return [(row["key"], _failure(row)) for row in rows]


_NO_FAILURE: dict[str, None] = {"failure_stage": None, "failure_kind": None, "failure_message": None}


def _check_token(connection: Connection, target: TargetId, token: int) -> None:
    held = select(leases.c.token).where(leases.c.name == f"index:{target}", leases.c.holder != "")
    if connection.execute(held).scalar() != token:
        raise Busy(f"The lease index:{target} was taken over: this process must not write any more.")


def _count_commit(connection: Connection, target: TargetId) -> None:
    one_more = targets.c.commit_number + 1
    connection.execute(update(targets).where(targets.c.target_id == target).values(commit_number=one_more))


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


def _asset_row(target: TargetId, asset: Asset) -> dict[str, Any]:
    return {
        "target_id": target,
        "asset_id": asset.asset_id,
        "bucket": asset.source.bucket,
        "key": asset.source.key,
        "product_id": asset.product_id,
        "source_version": asset.source.version,
    }


def _writing_row(target: TargetId, writing: Writing) -> dict[str, Any]:
    return {
        **_asset_row(target, writing.asset),
        "product_text": writing.product_text,
        "state": "writing",
        "target_build": writing.build,
        "observed_at": writing.observed_at,
        "changed_at": datetime.now(UTC),
    }


def _product_row(product: Product) -> dict[str, Any]:
    fields = {name: getattr(product, name) for name in PRODUCT}
    digests = {"text_digest": product.text_digest, "facts_digest": product.facts_digest}
    return {**fields, "title": dict(product.title), "facts": dict(product.facts), **digests}


def _target(row: Mapping[Any, Any]) -> Target:
    return Target(
        target_id=TargetId(row["target_id"]),
        collection=row["collection"],
        collection_uuid=row["collection_uuid"],
        recipes={name: RecipeId(recipe) for name, recipe in row["recipes"].items()},
        status=row["status"],
    )


def _known(row: Mapping[Any, Any]) -> Known:
    return Known(
        asset_id=AssetId(row["asset_id"]),
        bucket=row["bucket"],
        key=row["key"],
        product_id=ProductId(row["product_id"]),
        source_version=row["source_version"],
        product_text=row["product_text"],
        state=row["state"],
        live_build=Build(row["live_build"]) if row["live_build"] else None,
        attempts=row["attempts"],
    )


def _failure(row: Mapping[Any, Any]) -> Failure:
    return Failure(
        record_id=row["asset_id"],
        stage=row["failure_stage"],
        kind=row["failure_kind"],
        message=row["failure_message"],
    )
