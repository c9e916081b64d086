"""The ledger's books: targets, products, batches and leases; what is live of each asset is kept on top of them."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import and_, case, delete, func, select, update

from mmsearch_core.adapters.ledger_database import LedgerDatabase, pieces
from mmsearch_core.adapters.ledger_rows import product_row, to_product, to_target
from mmsearch_core.adapters.ledger_schema import assets, batches, leases, products, targets
from mmsearch_core.errors import Busy
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import BatchId, ProductId, TargetId
from mmsearch_core.records.run import Target

PAGE = 5_000
NOT_DONE = ("open", "failed")


class LedgerBooks:
    """Each method that writes is one transaction. Connects on first use."""

    def __init__(self, url: str) -> None:
        self._database = LedgerDatabase(url)

    def targets(self) -> list[Target]:
        with self._database.reading() as connection:
            found = connection.execute(
                select(targets).where(targets.c.status != "retired").order_by(targets.c.created_at, targets.c.target_id)
            )
            return [to_target(row) for row in found.mappings()]

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
            return to_target({**there, "collection_uuid": target.collection_uuid})

    def go_live(self, target: TargetId) -> None:
        with self._database.writing() as connection:
            status = case((targets.c.target_id == target, "live"), else_="building")
            connection.execute(update(targets).where(targets.c.status != "retired").values(status=status))

    def commit_number(self, target: TargetId) -> int:
        with self._database.reading() as connection:
            found = connection.execute(select(targets.c.commit_number).where(targets.c.target_id == target))
            return int(found.scalar() or 0)

    def put_products(self, feed: Iterable[Product]) -> int:
        changed, named = 0, list(feed)
        for piece in pieces(named):
            with self._database.writing() as connection:
                there = select(products.c.product_id, products.c.facts_digest)
                ids = [product.product_id for product in piece]
                known = {name: facts for name, facts in connection.execute(there.where(products.c.product_id.in_(ids)))}
                new = [product for product in piece if known.get(product.product_id) != product.facts_digest]
                self._database.upsert(connection, products, [product_row(product) for product in new])
                changed += len(new)
        recorded = {product for batch in self.product_texts() for product, _ in batch}
        gone = sorted(recorded - {product.product_id for product in named})
        for names in pieces(gone):
            with self._database.writing() as connection:
                connection.execute(delete(products).where(products.c.product_id.in_(names)))
        return changed + len(gone)

    def products(self, ids: Sequence[ProductId]) -> dict[ProductId, Product]:
        found: dict[ProductId, Product] = {}
        with self._database.reading() as connection:
            for piece in pieces(ids):
                for row in connection.execute(select(products).where(products.c.product_id.in_(piece))).mappings():
                    found[ProductId(row["product_id"])] = to_product(row)
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
            mine = and_(batches.c.target_id == target, batches.c.status.in_(NOT_DONE))
            return int(connection.execute(select(func.count()).select_from(batches).where(mine)).scalar() or 0)

    def supersede_batches(self, target: TargetId, *, keep: Sequence[BatchId]) -> None:
        with self._database.writing() as connection:
            mine = and_(batches.c.target_id == target, batches.c.status.in_(NOT_DONE), batches.c.batch_id.not_in(keep))
            connection.execute(update(batches).where(mine).values(status="superseded"))

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
