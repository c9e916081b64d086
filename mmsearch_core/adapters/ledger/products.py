"""What the shop sells, and which state of its feed said so. A feed is written in many transactions,
each of which looks first whether its state of the feed is still the one that is being taken."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import pyarrow as pa
from more_itertools import chunked
from sqlalchemy import Connection, delete, select, update

from mmsearch_core.adapters.ledger.database import LedgerDatabase, pieces
from mmsearch_core.adapters.ledger.rows import in_utc, product_row, to_product
from mmsearch_core.adapters.ledger.schema import feeds, products
from mmsearch_core.errors import FeedReplaced
from mmsearch_core.records.asset import Product
from mmsearch_core.records.commit import PRODUCT_COLUMNS
from mmsearch_core.records.feed import FeedState
from mmsearch_core.records.ids import ProductId

PAGE = 5_000  # rows read, or written in one transaction
T = TypeVar("T")

_NEW: dict[str, Any] = {
    "version": "",
    "modified_at": datetime(1970, 1, 1, tzinfo=UTC),
    "token": 0,
    "whole": False,
}


class LedgerProducts:
    """Each method that writes is one transaction, but for ``put_products``."""

    _database: LedgerDatabase

    def feed_state(self, feed: str) -> FeedState | None:
        with self._database.reading() as connection:
            row = (
                connection.execute(select(feeds).where(feeds.c.feed == feed))
                .mappings()
                .one_or_none()
            )
            return _to_state(row) if row else None

    def begin_feed(
        self, feed: str, *, version: str, modified_at: datetime, instead_of: FeedState | None
    ) -> FeedState:
        mine = feeds.c.feed == feed
        with self._database.writing() as connection:
            self._database.insert_new(connection, feeds, {"feed": feed, **_NEW})
            row = connection.execute(select(feeds).where(mine).with_for_update()).mappings().one()
            recorded = _to_state(row) if row["token"] else None
            if recorded != instead_of:
                raise FeedReplaced(
                    f"Another state of the feed {feed} was taken meanwhile: try again."
                )
            resumed = row["version"] == version and not row["whole"]
            token = row["token"] if resumed else row["token"] + 1
            values = {
                "version": version,
                "modified_at": modified_at.astimezone(UTC),
                "token": token,
                "whole": False,
            }
            connection.execute(update(feeds).where(mine).values(**values))
            # the products are no longer of those
            connection.execute(delete(feeds).where(feeds.c.feed != feed))
            return FeedState(feed=feed, **values)

    def put_products(
        self, state: FeedState, products_: Iterable[Product], gone: Iterable[ProductId]
    ) -> None:
        for piece in chunked(products_, PAGE):
            rows = [product_row(product) for product in piece]
            with self._database.writing() as connection:
                _check_state(connection, state)
                self._database.upsert(connection, products, rows)
        for names in chunked(gone, PAGE):
            with self._database.writing() as connection:
                _check_state(connection, state)
                for few in pieces(names):
                    connection.execute(delete(products).where(products.c.product_id.in_(few)))

    def end_feed(self, state: FeedState) -> None:
        mine = (
            (feeds.c.feed == state.feed)
            & (feeds.c.token == state.token)
            & (feeds.c.version == state.version)
        )
        with self._database.writing() as connection:
            connection.execute(update(feeds).where(mine).values(whole=True))

    def products(self, ids: Sequence[ProductId]) -> dict[ProductId, Product]:
        found: dict[ProductId, Product] = {}
        with self._database.reading() as connection:
            for piece in pieces(ids):
                for row in connection.execute(
                    select(products).where(products.c.product_id.in_(piece))
                ).mappings():
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

    def product_columns(self) -> Iterator[pa.RecordBatch]:
        columns = [products.c[name] for name in PRODUCT_COLUMNS.names]
        # every row is wanted: SQLite's index would only lead it through the table in a random order
        query = select(*columns).with_hint(products, "NOT INDEXED", "sqlite")
        with self._database.reading() as connection:
            found = connection.execution_options(stream_results=True, max_row_buffer=PAGE).execute(
                query
            )
            for rows in found.partitions(PAGE):
                arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=PRODUCT_COLUMNS)


def _check_state(connection: Connection, state: FeedState) -> None:
    """And hold the feed's row to the end of the transaction, so that no other state is begun in
    between."""
    recorded = (
        select(feeds.c.version, feeds.c.token).where(feeds.c.feed == state.feed).with_for_update()
    )
    if connection.execute(recorded).one_or_none() != (state.version, state.token):
        raise FeedReplaced(
            f"Another state of the feed {state.feed} was taken meanwhile: try again."
        )


def _to_state(row: Any) -> FeedState:
    values = {name: row[name] for name in ("feed", "version", "token")}
    return FeedState(
        **values, modified_at=in_utc(row["modified_at"]).astimezone(UTC), whole=bool(row["whole"])
    )
