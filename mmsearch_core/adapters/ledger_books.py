"""The ledger's books: targets, products, batches and leases; what is live of each asset is kept on top of them."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from operator import itemgetter
from typing import Literal, TypeVar

from sqlalchemy import and_, case, delete, func, select, update

from mmsearch_core.adapters.ledger_database import PIECE, LedgerDatabase, pieces
from mmsearch_core.adapters.ledger_rows import product_row, target_row, to_product, to_target
from mmsearch_core.adapters.ledger_schema import assets, batches, leases, products, targets
from mmsearch_core.errors import Busy
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import BatchId, ProductId, TargetId
from mmsearch_core.records.run import Target
from mmsearch_core.shard_lease import AHEAD

PAGE = 5_000
NOT_DONE = ("open", "failed")
T = TypeVar("T")


class LedgerBooks:
    """Each method that writes is one transaction. Connects on first use."""

    def __init__(self, url: str) -> None:
        self._database = LedgerDatabase(url)

    def upgrade(self) -> bool:
        """Bring the tables up to date; whether there was anything to do."""
        return self._database.upgrade()

    def targets(self) -> list[Target]:
        with self._database.reading() as connection:
            found = connection.execute(
                select(targets).where(targets.c.status != "retired").order_by(targets.c.created_at, targets.c.target_id)
            )
            return [to_target(row) for row in found.mappings()]

    def add_target(self, target: Target) -> Target:
        mine = targets.c.target_id == target.target_id
        with self._database.writing() as connection:
            self._database.insert_new(connection, targets, target_row(target))
            there = connection.execute(select(targets).where(mine).with_for_update()).mappings().one()
            if there["collection_uuid"] != target.collection_uuid:
                connection.execute(delete(assets).where(assets.c.target_id == target.target_id))
                connection.execute(update(targets).where(mine).values(collection_uuid=target.collection_uuid))
            status = "building" if there["status"] == "retired" else there["status"]
            connection.execute(update(targets).where(mine).values(status=status))
            return to_target({**there, "collection_uuid": target.collection_uuid, "status": status})

    def set_status(self, target: TargetId, status: Literal["live", "retired"]) -> None:
        mine = targets.c.target_id == target
        with self._database.writing() as connection:
            if status == "live":
                others = case((mine, "live"), else_="building")
                connection.execute(update(targets).where(targets.c.status != "retired").values(status=others))
            else:
                connection.execute(delete(assets).where(assets.c.target_id == target))
                connection.execute(update(targets).where(mine).values(status="retired"))

    def commit_number(self, target: TargetId) -> int:
        with self._database.reading() as connection:
            found = connection.execute(select(targets.c.commit_number).where(targets.c.target_id == target))
            return int(found.scalar() or 0)

    def put_products(self, feed: Iterable[Product]) -> int:
        changed, named = 0, set[ProductId]()
        digests = select(products.c.product_id, products.c.facts_digest)
        for piece in batched(feed, PIECE):
            named.update(product.product_id for product in piece)
            with self._database.reading() as connection:
                mine = products.c.product_id.in_([product.product_id for product in piece])
                known = {name: facts for name, facts in connection.execute(digests.where(mine))}
            new = [product for product in piece if known.get(product.product_id) != product.facts_digest]
            if new:
                # in one order: two feeds that are read at once would else wait for each other's rows for ever
                rows = sorted(map(product_row, new), key=itemgetter("product_id"))
                with self._database.writing() as connection:
                    self._database.upsert(connection, products, rows)
                changed += len(new)
        recorded = {product for batch in self.product_texts() for product, _ in batch}
        gone = sorted(recorded - named)
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
        row = {"batch_id": batch, "target_id": target, "source": source, "status": "open", "counts": {}}
        with self._database.writing() as connection:
            self._database.insert_new(connection, batches, {**row, "opened_at": datetime.now(UTC)})

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
            self._database.insert_new(connection, leases, {"name": name, "holder": "", "token": 0, "expires": 0.0})
            mine = leases.c.name == name
            there = connection.execute(select(leases).where(mine).with_for_update()).mappings().one()
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
            self._database.insert_new(connection, leases, {"name": name, "holder": "", "token": 0, "expires": 0.0})
            lower = and_(leases.c.name == name, leases.c.token < at_least)
            nobodys = {"token": at_least, "holder": "", "expires": 0.0}
            connection.execute(update(leases).where(lower).values(**nobodys))

    def give_lease(self, name: str, *, holder: str) -> None:
        with self._database.writing() as connection:
            mine = and_(leases.c.name == name, leases.c.holder == holder)
            connection.execute(update(leases).where(mine).values(holder="", expires=0.0))


def batched(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """``things`` in lists of ``size``, of which only one is held at a time."""
    rest = iter(things)
    while piece := list(islice(rest, size)):
        yield piece
