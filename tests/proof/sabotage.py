"""What can happen to an index and a ledger that no writer of ours would do: damage, and backups
that are put back."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.adapters.milvus_index import MilvusIndex, _to_fields
from mmsearch_core.records.ids import AssetId, Build, RowId, digest
from mmsearch_core.records.row import StoredRow
from mmsearch_core.testing.memory_index import MemoryIndex
from mmsearch_core.wiring.batches import Runtime
from tests.line import picture
from tests.proof.shop import Shop

EVERYBODY = 1 << 60  # a token that no fence stops
Act = Callable[[Shop], None]


class Vandal:
    """Reads and writes the rows of the target of today, whatever the ledger says; none where its
    collection is lost."""

    def __init__(self, runtime: Runtime) -> None:
        self._index: Any = runtime.index
        self._collection = runtime.named_target().collection

    def rows(self) -> list[StoredRow]:
        """All of them, by row id."""
        lost = self._index.uuid(self._collection) is None
        found = () if lost else self._index.rows_between(self._collection, "0", "g")
        return sorted(found, key=lambda stored: stored.row.row_id)

    def delete(self, rows: Sequence[StoredRow]) -> None:
        if rows:
            names = [stored.row.row_id for stored in rows]
            self._index.remove_rows(self._collection, names, writer=EVERYBODY)

    def write(self, rows: Sequence[StoredRow]) -> None:
        """As they are, with a digest that need not be theirs."""
        if self._index.uuid(self._collection) is None:
            return
        if isinstance(self._index, MemoryIndex):
            for stored in rows:
                self._index.upsert(self._collection, [stored.row], writer=stored.writer)
                self._index._contents[stored.row.row_id] = stored.content
        elif rows:
            assert isinstance(self._index, MilvusIndex)
            beside = [{"content": stored.content, "writer": stored.writer} for stored in rows]
            data = [
                {**_to_fields(stored.row), **more}
                for stored, more in zip(rows, beside, strict=True)
            ]
            self._index._client.upsert(self._collection, data)

    def put_back(self, rows: Sequence[StoredRow]) -> None:
        """A backup of the index: these rows and no others, in a collection of the same uuid."""
        self.delete(self.rows())
        self.write(rows)


def backup(ledger: Any) -> sqlite3.Connection:
    """A copy of the ledger's file."""
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    with _opened(ledger) as connection:
        connection.backup(copy)
    return copy


def put_back(ledger: Any, copy: sqlite3.Connection) -> None:
    """The copy in the file's place."""
    with _opened(ledger) as connection:
        copy.backup(connection)


@contextmanager
def _opened(ledger: Any) -> Iterator[sqlite3.Connection]:
    assert isinstance(ledger, SqlLedger)
    pooled = ledger._database._engine.raw_connection()
    connection = pooled.driver_connection
    assert isinstance(connection, sqlite3.Connection)
    yield connection
    pooled.close()


def with_row(stored: StoredRow, **fields: Any) -> StoredRow:
    """Another row under the same digest."""
    return replace(stored, row=replace(stored.row, **fields))


def lose_rows(shop: Shop) -> None:
    vandal = Vandal(shop.runtime)
    vandal.delete(vandal.rows()[::2])


def lose_all_rows(shop: Shop) -> None:
    vandal = Vandal(shop.runtime)
    vandal.delete(vandal.rows())


def double_rows(shop: Shop) -> None:
    """The same row under another id; one of them under its right digest."""
    vandal = Vandal(shop.runtime)
    copies = [
        with_row(stored, row_id=RowId(digest("copy", stored.row.row_id)))
        for stored in vandal.rows()[:3]
    ]
    vandal.write([replace(copy, content=copy.row.content) for copy in copies[:1]] + copies[1:])


def swap_vectors(shop: Shop) -> None:
    """Of a red and a blue picture."""
    vandal = Vandal(shop.runtime)
    rows = {stored.row.text[:4]: stored for stored in vandal.rows()}
    red, blue = rows["red "], rows["blue"]
    vandal.write([with_row(red, vectors=blue.row.vectors), with_row(blue, vectors=red.row.vectors)])


def alter_texts(shop: Shop) -> None:
    vandal = Vandal(shop.runtime)
    vandal.write([with_row(stored, text="sponsored") for stored in vandal.rows()[:2]])


def alter_everything_together(shop: Shop) -> None:
    """Row and digest agree, and are not what the ledger was told."""
    vandal = Vandal(shop.runtime)
    altered = [with_row(stored, text="sponsored") for stored in vandal.rows()[:2]]
    vandal.write([replace(stored, content=stored.row.content) for stored in altered])


def wipe_digests(shop: Shop) -> None:
    vandal = Vandal(shop.runtime)
    vandal.write([replace(stored, content="") for stored in vandal.rows()[:2]])


def give_rows_to_others(shop: Shop) -> None:
    vandal = Vandal(shop.runtime)
    first, second = vandal.rows()[:2]
    assets, builds = (first.row.asset_id, second.row.asset_id), (first.row.build, second.row.build)
    vandal.write([with_row(first, asset_id=assets[1], build=builds[1])])
    vandal.write([with_row(second, asset_id=assets[0], build=builds[0])])


def leave_rows_of_nobody(shop: Shop) -> None:
    """Of assets that never were, and of builds that are past, under tokens that this ledger never
    gave."""
    vandal = Vandal(shop.runtime)
    first, second = vandal.rows()[:2]
    stranger = with_row(first, row_id=RowId(digest("stranger")), asset_id=AssetId(digest("nobody")))
    past = with_row(second, row_id=RowId(digest("past")), build=Build(digest("past")))
    vandal.write([replace(stranger, writer=900), replace(past, writer=901)])


def drop_the_collection(shop: Shop) -> None:
    shop.lose_collection()


def a_week_goes_by(shop: Shop) -> None:
    """Everything that changes in a shop, and is indexed."""
    shop.put("pictures/p1/a.jpg", picture("blue", shade=25))
    shop.put("pictures/p2/new.jpg", picture("black"))
    shop.remove("pictures/p2/b.jpg")
    shop.set_product("p3", title="Deluxe")
    shop.settle()


def an_old_index_is_put_back(shop: Shop) -> None:
    vandal = Vandal(shop.runtime)
    last_week = vandal.rows()
    a_week_goes_by(shop)
    vandal.put_back(last_week)


def an_old_ledger_is_put_back(shop: Shop) -> None:
    yesterday = backup(shop.runtime.ledger)
    a_week_goes_by(shop)
    put_back(shop.runtime.ledger, yesterday)


def an_old_index_and_a_still_older_ledger_are_put_back(shop: Shop) -> None:
    last_month = backup(shop.runtime.ledger)
    a_week_goes_by(shop)
    vandal = Vandal(shop.runtime)
    last_week = vandal.rows()
    shop.put("pictures/p2/new.jpg", picture("red"))
    shop.remove("pictures/p3/a.jpg")
    shop.settle()
    put_back(shop.runtime.ledger, last_month)
    vandal.put_back(last_week)


def puts_within_one_second(shop: Shop) -> None:
    """The bytes change while the batch of the last change is under way, and once more after it;
    nobody can tell by a time that is told in seconds."""
    shop.put("pictures/p1/a.jpg", picture("blue", shade=25))
    (work,) = shop.compare()
    shop.advance(work)
    shop.put("pictures/p1/a.jpg", picture("green", shade=25))
    shop.finish(work)
    shop.put("pictures/p1/a.jpg", picture("red"))


def a_second_name_for_one_object(shop: Shop) -> None:
    """Some stores answer for it, and list it under its plain name only."""
    shop.hint(["pictures/p1//a.jpg", "pictures//p2/a.jpg"])
    shop.finish(shop.open[-1])


DAMAGE: tuple[Act, ...] = (
    lose_rows,
    lose_all_rows,
    double_rows,
    swap_vectors,
    alter_texts,
    alter_everything_together,
    wipe_digests,
    give_rows_to_others,
    leave_rows_of_nobody,
)
PUT_BACK: tuple[Act, ...] = (
    drop_the_collection,
    an_old_index_is_put_back,
    an_old_ledger_is_put_back,
    an_old_index_and_a_still_older_ledger_are_put_back,
    puts_within_one_second,
    a_second_name_for_one_object,
)
