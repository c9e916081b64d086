"""What every ledger promises, held against MemoryLedger, a SQLite file and PostgreSQL."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.errors import Busy, FeedReplaced
from mmsearch_core.ports.ledger import LOST, Ledger
from mmsearch_core.records.asset import Asset, ObjectRef, Product, Removal, asset_id
from mmsearch_core.records.commit import KNOWN_COLUMNS, Made, Writing
from mmsearch_core.records.feed import FeedState
from mmsearch_core.records.ids import BatchId, Build, ProductId, RecipeId, TargetId
from mmsearch_core.records.report import Failure
from mmsearch_core.records.target import Target
from mmsearch_core.testing.memory_ledger import MemoryLedger
from tests.conftest import ENGINES

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
T = TargetId("t")
FEED = "b/products.jsonl"
TARGET = Target(
    target_id=T,
    collection="c",
    collection_uuid="u1",
    recipes={"picture": {"decode": RecipeId("r")}},
    status="building",
)


@pytest.fixture(params=["memory", *ENGINES])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """A ledger of each kind that knows the target."""
    made: Ledger = MemoryLedger()
    if request.param == "sqlite":
        made = SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}")
    elif request.param == "postgresql":
        made = SqlLedger(request.getfixturevalue("postgres").database())
    made.add_target(TARGET)
    return made


def asset(name: str, version: str = "v1") -> Asset:
    key = f"pictures/p/{name}.jpg"
    source = ObjectRef(bucket="b", key=key, etag=version, size=1, last_modified=NOW)
    return Asset(
        asset_id=asset_id("b", key), product_id=ProductId("p"), kind="picture", source=source
    )


def writing(name: str, build: str, *, seconds: float = 0) -> Writing:
    observed = NOW + timedelta(seconds=seconds)
    return Writing(asset=asset(name), build=Build(build), product_text="text", observed_at=observed)


def made(
    build: str, rows: int = 1, content: str = "00000000000000ff", failure: Failure | None = None
) -> Made:
    return Made(build=Build(build), rows=rows, content=content, failure=failure)


def token(ledger: Ledger) -> int:
    return ledger.take_lease(f"index:{T}", holder="me", seconds=60)


def make_live(ledger: Ledger, name: str, build: str, *, seconds: float = 0) -> None:
    ledger.begin(T, [writing(name, build, seconds=seconds)], token=token(ledger))
    assert ledger.commit(T, {asset(name).asset_id: made(build)}, token=token(ledger)) == {
        asset(name).asset_id
    }
    ledger.settle(T, {asset(name).asset_id: Build(build)}, token=token(ledger))


def test_a_build_is_writing_until_committed_and_the_old_one_stays_live(ledger: Ledger) -> None:
    """A reader never sees a hole."""
    make_live(ledger, "a", "b1")
    name = asset("a").asset_id
    ledger.begin(T, [writing("a", "b2", seconds=1)], token=token(ledger))
    known = ledger.look_up(T, [name])[name]
    assert (known.state, known.live_build) == ("writing", "b1")
    ledger.commit(T, {name: made("b2")}, token=token(ledger))
    known = ledger.look_up(T, [name])[name]
    assert (known.state, known.live_build) == ("writing", "b2"), "rows of b1 lie there yet"
    ledger.settle(T, {name: Build("b2")}, token=token(ledger))
    known = ledger.look_up(T, [name])[name]
    assert (known.state, known.live_build, known.source_version) == ("live", "b2", "v1:1")


def test_a_build_that_was_superseded_does_not_become_live(ledger: Ledger) -> None:
    """The first writer's commit returns nothing, and the asset stays dirty."""
    name = asset("a").asset_id
    ledger.begin(T, [writing("a", "b1")], token=token(ledger))
    ledger.begin(T, [writing("a", "b2", seconds=1)], token=token(ledger))
    assert ledger.commit(T, {name: made("b1")}, token=token(ledger)) == set()
    assert ledger.look_up(T, [name])[name].state == "writing"


def test_an_older_observation_is_not_accepted(ledger: Ledger) -> None:
    """A plan that looked earlier never overwrites one that looked later."""
    make_live(ledger, "a", "b2", seconds=10)
    assert ledger.begin(T, [writing("a", "b1", seconds=5)], token=token(ledger)) == set()
    assert ledger.look_up(T, [asset("a").asset_id])[asset("a").asset_id].state == "live"


def test_a_lease_has_one_holder_and_its_tokens_rise(ledger: Ledger) -> None:
    """An outdated token writes nothing."""
    first = ledger.take_lease(f"index:{T}", holder="one", seconds=60)
    assert ledger.take_lease(f"index:{T}", holder="one", seconds=60) == first
    with pytest.raises(Busy):
        ledger.take_lease(f"index:{T}", holder="two", seconds=60)
    ledger.give_lease(f"index:{T}", holder="two")  # not theirs to give
    with pytest.raises(Busy):
        ledger.take_lease(f"index:{T}", holder="two", seconds=60)
    ledger.give_lease(f"index:{T}", holder="one")
    second = ledger.take_lease(f"index:{T}", holder="two", seconds=60)
    assert second > first
    with pytest.raises(Busy, match="taken over"):
        ledger.begin(T, [writing("a", "b1")], token=first)


def test_a_lease_runs_out(ledger: Ledger) -> None:
    """A dead holder blocks nobody for long."""
    first = ledger.take_lease("x", holder="dead", seconds=-1)
    assert ledger.take_lease("x", holder="next", seconds=60) > first


def test_failures_are_kept_with_reason_and_count(ledger: Ledger) -> None:
    """And the asset has no live build."""
    make_live(ledger, "a", "b1")
    name = asset("a").asset_id
    failure = Failure(
        record_id=name, stage="decode", kind="UnreadableMedia", message="The picture is damaged."
    )
    for attempt in (1, 2):
        new = writing("a", f"b{attempt + 1}", seconds=attempt)
        ledger.begin(T, [new], token=token(ledger))
        ledger.fail(T, {name: (new, failure)}, token=token(ledger))
        known = ledger.look_up(T, [name])[name]
        assert (known.state, known.live_build, known.attempts) == ("failed", None, attempt)
    assert ledger.failures(T, limit=5) == [("pictures/p/a.jpg", failure)]
    make_live(ledger, "a", "b9", seconds=9)
    assert ledger.failures(T, limit=5) == []


def test_attempts_are_of_one_version_of_the_source(ledger: Ledger) -> None:
    """Other bytes were not tried yet."""
    failure = Failure(record_id="a", stage="decode", kind="UnreadableMedia", message="no")
    for number, version in enumerate(("v1", "v1", "v2")):
        look = replace(writing("a", f"b{number}", seconds=number), asset=asset("a", version))
        ledger.begin(T, [look], token=token(ledger))
        ledger.fail(T, {look.asset.asset_id: (look, failure)}, token=token(ledger))
        attempts = ledger.look_up(T, [look.asset.asset_id])[look.asset.asset_id].attempts
        assert attempts == {0: 1, 1: 2, 2: 1}[number]


def test_a_live_asset_keeps_what_failed_of_it(ledger: Ledger) -> None:
    """It is searched, and it is a failure that can be tried again; once nothing fails, nothing is
    left of it."""
    name = asset("a").asset_id
    failure = Failure(
        record_id=name, stage="describe", kind="UnusableAnswer", message="Nothing was said."
    )
    for attempt in (1, 1, 2):  # the second is a retry of the first
        look = writing("a", "b1", seconds=attempt)
        ledger.begin(T, [look], token=token(ledger))
        assert ledger.failures(T, limit=5) == []
        assert ledger.commit(T, {name: made("b1", failure=failure)}, token=token(ledger)) == {name}
        ledger.settle(T, {name: Build("b1")}, token=token(ledger))
        known = ledger.look_up(T, [name])[name]
        assert (known.state, known.live_build, known.failure_kind) == (
            "live",
            "b1",
            "UnusableAnswer",
        )
        assert known.attempts == attempt
    counts = ledger.counts(T)
    assert (counts["live"], counts["failed"], counts["incomplete"]) == (1, 0, 1)
    assert ledger.failures(T, limit=5) == [("pictures/p/a.jpg", failure)]
    assert ledger.redrivable(T, attempts=3, limit=5) == [("pictures/p/a.jpg", failure)]
    make_live(ledger, "a", "b1", seconds=9)
    known = ledger.look_up(T, [name])[name]
    assert (known.failure_kind, known.attempts, ledger.counts(T)["incomplete"]) == (None, 0, 0)
    assert ledger.failures(T, limit=5) == ledger.redrivable(T, attempts=3, limit=5) == []


def test_failures_take_turns_and_parked_ones_take_nobodys(ledger: Ledger) -> None:
    """First what was never re-driven, then what was longest ago, whatever clocks said."""
    for number, kind in enumerate(
        ("UnreadableMedia", "UnreadableMedia", "UnusableAnswer", "MediaTooLarge")
    ):
        for attempt in range(3 if kind == "MediaTooLarge" else 1):
            look = writing(str(number), f"b{attempt}", seconds=attempt)
            failure = Failure(
                record_id=look.asset.asset_id, stage="decode", kind=kind, message="no"
            )
            ledger.begin(T, [look], token=token(ledger))
            ledger.fail(T, {look.asset.asset_id: (look, failure)}, token=token(ledger))

    def turn(*kinds: str, limit: int = 9) -> list[str]:
        return [key[11] for key, _ in ledger.redrivable(T, attempts=3, kinds=kinds, limit=limit)]

    assert sorted(turn()) == ["0", "1", "2"]
    assert turn("UnusableAnswer") == ["2"]
    assert ledger.parked(T, attempts=3) == {("decode", "MediaTooLarge"): 1}
    assert ledger.parked(T, attempts=3, kinds=["UnusableAnswer"]) == {}
    for first in ("1", "0"):
        ledger.set_redriven(T, [asset(first).asset_id])
    assert turn() == ["2", "1", "0"]
    ledger.set_redriven(T, [asset("2").asset_id])
    assert turn(limit=2) == ["1", "0"]


def test_what_is_live_of_each_asset_is_told_as_columns(ledger: Ledger) -> None:
    """How many rows it has and what they say, of all assets or of some; a failure leaves none."""
    for name, rows in (("a", 1), ("b", 3), ("c", 2)):
        ledger.begin(T, [writing(name, "b1")], token=token(ledger))
        ledger.commit(
            T, {asset(name).asset_id: made("b1", rows, f"{rows:016x}")}, token=token(ledger)
        )
    ledger.settle(T, {asset("a").asset_id: Build("b1")}, token=token(ledger))
    look = writing("c", "b2", seconds=1)
    failure = Failure(record_id="c", stage="decode", kind="UnreadableMedia", message="no")
    ledger.begin(T, [look], token=token(ledger))
    ledger.fail(T, {look.asset.asset_id: (look, failure)}, token=token(ledger))
    told = [row for batch in ledger.built_columns(T) for row in batch.to_pylist()]
    assert {row.pop("asset_id"): tuple(row.values()) for row in told} == {
        asset("a").asset_id: ("live", "b1", 1, "0000000000000001"),
        asset("b").asset_id: ("writing", "b1", 3, "0000000000000003"),
        asset("c").asset_id: ("failed", None, 0, ""),
    }
    some = [asset("b").asset_id, asset("nobody").asset_id]
    (batch,) = ledger.built_columns(T, some)
    assert batch.column("asset_id").to_pylist() == some[:1]
    assert list(ledger.built_columns(T, [])) == []


def test_tokens_rise_over_those_that_rows_carry(ledger: Ledger) -> None:
    """A ledger that is new or was restored knows nothing of them. Who holds a lesser one has lost
    its lease."""
    mine = token(ledger)
    ledger.raise_token(f"index:{T}", mine)
    assert token(ledger) == mine, "nothing is greater"
    ledger.raise_token(f"index:{T}", mine + 6)
    with pytest.raises(Busy):
        ledger.begin(T, [writing("a", "b1")], token=mine)
    assert token(ledger) == mine + 7
    ledger.raise_token("index:new", 6)
    assert ledger.take_lease("index:new", holder="me", seconds=60) == 7


def test_what_is_forgotten_is_not_known(ledger: Ledger) -> None:
    """Known assets are given in batches, under a prefix; look-ups leave unknown ones out."""
    for name in ("a", "b", "c"):
        make_live(ledger, name, "b1")
    ledger.forget(T, [asset("b").asset_id], token=token(ledger))
    keys = {known.key for batch in ledger.known(T, prefix="pictures/p/") for known in batch}
    assert keys == {"pictures/p/a.jpg", "pictures/p/c.jpg"}
    assert list(ledger.known(T, prefix="pictures/%")) == []
    assert set(ledger.look_up(T, [asset("a").asset_id, asset("b").asset_id])) == {
        asset("a").asset_id
    }


def test_columns_say_what_the_records_say(ledger: Ledger) -> None:
    """Under the same prefix, where patterns of SQL are plain text; a picture that waits was never
    observed."""
    assert list(ledger.known_columns(T)) == []
    for seconds, name in enumerate(("a", "b%c", "b_c")):
        make_live(ledger, name, "b1", seconds=seconds)
    ledger.wait_for_product(T, [asset("w")])
    for prefix, number in (("", 4), ("pictures/p/b%", 1), ("pictures/p/w", 1), ("nothing/", 0)):
        known = [known for batch in ledger.known(T, prefix=prefix) for known in batch]
        rows = [
            row for batch in ledger.known_columns(T, prefix=prefix) for row in batch.to_pylist()
        ]
        said = {row["key"]: row for row in rows}
        assert said == {
            one.key: {name: getattr(one, name) for name in KNOWN_COLUMNS.names} for one in known
        }
        assert len(rows) == number


def test_commits_are_counted(ledger: Ledger) -> None:
    """A result set names the commit it was made from."""
    before = ledger.commit_number(T)
    make_live(ledger, "a", "b1")
    assert ledger.commit_number(T) == before + 1


def test_a_lost_collection_is_forgotten(ledger: Ledger) -> None:
    """Another uuid under the same name."""
    make_live(ledger, "a", "b1")
    assert ledger.add_target(TARGET) == TARGET
    assert ledger.look_up(T, [asset("a").asset_id])
    again = Target(**{**{f: getattr(TARGET, f) for f in TARGET.__slots__}, "collection_uuid": "u2"})
    assert ledger.unfinished_batches(T) == []
    for _ in range(2):
        assert ledger.add_target(again).collection_uuid == "u2"
    assert ledger.look_up(T, [asset("a").asset_id]) == {}
    (missing,) = ledger.unfinished_batches(T)
    assert missing.source == LOST, (
        "what is missing counts as handed out, until a comparison does so"
    )


def test_one_target_is_live_and_one_that_was_can_be_gone_back_to_until_it_is_retired(
    ledger: Ledger,
) -> None:
    other = Target(
        target_id=TargetId("t2"),
        collection="c2",
        collection_uuid="u",
        recipes={},
        status="building",
    )
    ledger.add_target(other)
    ledger.set_status(T, "live")
    ledger.set_status(other.target_id, "live")
    assert {target.target_id: target.status for target in ledger.targets()} == {
        "t": "building",
        "t2": "live",
    }
    make_live(ledger, "a", "b1")
    ledger.set_status(T, "retired")
    assert [target.target_id for target in ledger.targets()] == ["t2"]
    assert (ledger.look_up(T, [asset("a").asset_id]), ledger.add_target(TARGET).status) == (
        {},
        "building",
    )


def product(name: str, title: str = "Lumen", price: float = 1.5) -> Product:
    return Product(
        product_id=ProductId(name),
        title={"en": title, "zh": "流明"},
        facts={"brand": "L"},
        price=price,
    )


def begin(ledger: Ledger, version: str, *, feed: str = FEED) -> FeedState:
    """A state of the feed that begins to be taken over whatever is recorded."""
    before = ledger.feed_state(feed)
    return ledger.begin_feed(feed, version=version, modified_at=NOW, instead_of=before)


def test_products_are_recorded_and_forgotten(ledger: Ledger) -> None:
    """More of them than fit one transaction or one statement."""
    many = [product(f"p{number:04}") for number in range(6000)]
    state = begin(ledger, "v1")
    ledger.put_products(state, iter(many), gone=iter(()))
    assert ledger.products([ProductId("p0000"), ProductId("q")]) == {"p0000": many[0]}
    dearer = product("p0001", price=2.5)
    ledger.put_products(state, [dearer], gone=[one.product_id for one in many[2:]])
    texts = [text for batch in ledger.product_texts() for text in batch]
    assert texts == [("p0000", many[0].text_digest), ("p0001", many[1].text_digest)]
    columns = [row for batch in ledger.product_columns() for row in batch.to_pylist()]
    names = ("product_id", "text_digest", "facts_digest")
    expected = [{name: getattr(one, name) for name in names} for one in (many[0], dearer)]
    assert sorted(columns, key=lambda row: row["product_id"]) == expected


def test_no_products_are_no_columns(ledger: Ledger) -> None:
    assert list(ledger.product_columns()) == []


def test_a_state_of_the_feed_is_whole_only_when_it_was_ended(ledger: Ledger) -> None:
    """Whoever dies before leaves one that is not, and the next goes on with it."""
    assert ledger.feed_state(FEED) is None
    state = begin(ledger, "v1")
    assert ledger.feed_state(FEED) == state
    assert (state.version, state.modified_at, state.whole) == ("v1", NOW, False)
    again = begin(ledger, "v1")
    assert again == state, "the same state is taken by several at once"
    ledger.end_feed(state)
    ended = ledger.feed_state(FEED)
    assert ended is not None
    assert (ended.version, ended.whole) == ("v1", True)


def test_of_an_older_state_nothing_more_is_written_once_another_was_begun(ledger: Ledger) -> None:
    """Neither products nor removals nor its end, though it says the same moment."""
    old = begin(ledger, "v1")
    ledger.put_products(old, [product("p", "Old")], gone=[])
    new = begin(ledger, "v2")
    with pytest.raises(FeedReplaced):
        ledger.put_products(old, [product("p", "Older")], gone=[])
    with pytest.raises(FeedReplaced):
        ledger.put_products(old, [], gone=[ProductId("p")])
    ledger.end_feed(old)
    assert ledger.products([ProductId("p")]) == {"p": product("p", "Old")}
    assert ledger.feed_state(FEED) == new
    back = begin(ledger, "v1")
    assert back.token > new.token > old.token
    with pytest.raises(FeedReplaced):
        ledger.put_products(old, [product("p", "Older")], gone=[])


def test_a_state_is_begun_only_over_the_one_that_its_reader_saw(ledger: Ledger) -> None:
    """Two that looked before either began: the second has to look again."""
    begin(ledger, "v1")
    seen = ledger.feed_state(FEED)
    ledger.begin_feed(FEED, version="v3", modified_at=NOW, instead_of=seen)
    for outdated in (seen, None):
        with pytest.raises(FeedReplaced):
            ledger.begin_feed(FEED, version="v2", modified_at=NOW, instead_of=outdated)
    assert begin(ledger, "v2").version == "v2"


def test_the_products_are_of_one_feed_at_a_time(ledger: Ledger) -> None:
    """A catalog that moved to another feed and back: the first is taken anew, although it is what
    it was."""
    first = begin(ledger, "v1")
    ledger.end_feed(first)
    begin(ledger, "v1", feed="b/other.jsonl")
    assert ledger.feed_state(FEED) is None
    with pytest.raises(FeedReplaced):
        ledger.put_products(first, [product("p")], gone=[])


def test_assets_are_found_by_their_products(ledger: Ledger) -> None:
    make_live(ledger, "a", "b1")
    ledger.wait_for_product(T, [asset("w")])
    found = ledger.assets_of_products(T, [ProductId("other"), ProductId("p")])
    assert sorted((one.key, one.state) for one in found) == [
        ("pictures/p/a.jpg", "live"),
        ("pictures/p/w.jpg", "waiting_for_product"),
    ]
    assert ledger.assets_of_products(T, [ProductId("other")]) == []
    assert ledger.assets_of_products(TargetId("t2"), [ProductId("p")]) == []


def test_a_picture_that_waits_is_known_as_waiting(ledger: Ledger) -> None:
    """Until its product comes."""
    ledger.wait_for_product(T, [asset("a")])
    assert (
        ledger.look_up(T, [asset("a").asset_id])[asset("a").asset_id].state == "waiting_for_product"
    )
    assert ledger.counts(T)["waiting_for_product"] == 1
    make_live(ledger, "a", "b1")
    assert ledger.counts(T)["live"] == 1
    ledger.wait_for_product(T, [asset("a")])
    assert ledger.counts(T)["live"] == 1, "a plan that looked earlier takes nothing back"


def test_batches_are_open_until_closed(ledger: Ledger) -> None:
    """Handing one out twice is once."""
    for _ in range(2):
        ledger.open_batch(BatchId("b"), target=T, source="test")
    assert ledger.open_batches(T) == 1
    ledger.close_batch(BatchId("b"), status="done", counts={"live": 1})
    assert ledger.open_batches(T) == 0
    ledger.close_batch(BatchId("b"), status="failed", counts={})
    assert ledger.open_batches(T) == 1, "a failed batch is not done"
    ledger.supersede_batches([BatchId("b"), BatchId("never handed out")])
    assert ledger.open_batches(T) == 0


def test_how_a_batch_stands_is_known_until_others_took_its_work(ledger: Ledger) -> None:
    """What is done stays done; of more names than fit a statement, too."""
    assert ledger.batch_status(BatchId("a")) is None
    for name in "abc":
        ledger.open_batch(BatchId(name), target=T, source=f"compare {name}")
    ledger.open_batch(BatchId("d"), target=TargetId("another"), source="compare d")
    ledger.close_batch(BatchId("a"), status="done", counts={})
    ledger.close_batch(BatchId("b"), status="failed", counts={})
    assert [ledger.batch_status(BatchId(name)) for name in "abcd"] == [
        "done",
        "failed",
        "open",
        "open",
    ]
    found = ledger.unfinished_batches(T)
    assert [(it.batch, it.source, it.status) for it in found] == [
        ("b", "compare b", "failed"),
        ("c", "compare c", "open"),
    ]
    assert found[0].opened_at <= found[1].opened_at <= datetime.now(UTC)
    ledger.supersede_batches([BatchId(name) for name in ("a", "b", "d", *map(str, range(1200)))])
    assert [ledger.batch_status(BatchId(name)) for name in "abcd"] == [
        "done",
        "superseded",
        "open",
        "superseded",
    ]
    assert [it.batch for it in ledger.unfinished_batches(T)] == ["c"]


def test_a_retry_of_the_same_look_is_charged_once(ledger: Ledger) -> None:
    """Whoever died after it charged an asset does not charge it again."""
    token = ledger.take_lease(f"index:{T}", holder="me", seconds=60)
    failure = Failure(record_id="a", stage="decode", kind="UnreadableMedia", message="no")
    for seconds, attempts in ((0, 1), (0, 1), (5, 2)):
        look = writing("a", "b1", seconds=seconds)
        ledger.begin(T, [look], token=token)
        ledger.fail(T, {look.asset.asset_id: (look, failure)}, token=token)
        assert ledger.look_up(T, [look.asset.asset_id])[look.asset.asset_id].attempts == attempts


def test_doubt_makes_an_asset_count_as_changed_and_leaves_it_visible(ledger: Ledger) -> None:
    """Without a token: whoever doubts has lost it."""
    make_live(ledger, "a", "b1")
    gone = Removal(asset_id=asset("gone").asset_id, bucket="b", key="pictures/p/gone.jpg")
    ledger.doubt(T, [asset("a"), gone])
    known = ledger.look_up(T, [asset("a").asset_id, gone.asset_id])
    assert {(it.key, it.state, it.live_build) for it in known.values()} == {
        ("pictures/p/a.jpg", "writing", "b1"),
        ("pictures/p/gone.jpg", "writing", None),
    }
    assert known[asset("a").asset_id].product_id == "p"


def test_many_assets_are_looked_up_in_pieces(ledger: Ledger) -> None:
    """More than fit one statement."""
    writings = [writing(str(number), "b1") for number in range(1200)]
    assert len(ledger.begin(T, writings, token=token(ledger))) == 1200
    names = [w.asset.asset_id for w in writings]
    assert len(ledger.look_up(T, names)) == 1200
    assert len(ledger.commit(T, dict.fromkeys(names, made("b1")), token=token(ledger))) == 1200
