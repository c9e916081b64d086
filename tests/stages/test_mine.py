"""mine: tonight's queries are frozen into a plan."""

from pathlib import Path

import pytest

from mmsearch_core.errors import BadSettings
from mmsearch_core.records.query import PopularQuery
from mmsearch_core.settings import load_settings
from mmsearch_core.shards.pace import shard_size
from mmsearch_core.shards.shard import Shard, read_plan
from mmsearch_core.stages.search.mine import LEAST_A_SHARD, MOST_SHARDS
from mmsearch_core.wiring.batches import Runtime
from tasks import mine
from tests.line import fake_runtime, feed, index, picture, search
from tests.query_log import asked, line


@pytest.fixture
def shop() -> Runtime:
    """One product, and an index of it."""
    runtime = fake_runtime(query_log={"pinned": ["gift ideas"]})
    feed(runtime, {"p1": "One"})
    runtime.catalog.put("pictures/p1/a.jpg", picture("red"))
    index(runtime)
    return runtime


def log(runtime: Runtime, name: str, *lines: bytes) -> None:
    runtime.catalog.put(f"queries/{name}.jsonl", b"\n".join(lines))


GOOD = [line(event) for event in asked("red dress", 3)]


def test_hostile_lines_stop_no_night(shop: Runtime) -> None:
    """Half a surrogate pair, a nesting bomb, control characters, another time: results are
    published all the same."""
    surrogate = (
        b'{"time": "2026-11-20T10:00:00Z", "session": "%d", "locale": "en", "query": "shoes'
        b' \\ud800"}'
    )
    escape = asked("\x1b]0;evil\x07 shoes", 3)
    log(
        shop,
        "2026-11-20",
        *GOOD,
        *(surrogate % n for n in range(3)),
        *map(line, escape),
        b"[" * 200_000,
    )
    assert search(shop).published
    report = mine.work(shop, "again")
    assert report.counts == {
        "events": 6,
        "log_lines_unreadable": 4,
        "log_lines_without_words": 3,
        "log_lines_ahead_of_the_clock": 0,
        "popular": 2,
        "log_objects": 1,
        "log_objects_read": 0,
        "log_objects_old": 0,
    }


def test_mine_may_run_again(shop: Runtime) -> None:
    """The same log makes the same plan, apart from its moment."""
    log(shop, "2026-11-20", *GOOD)
    first = mine.work(shop, "night")
    (path,) = first.shards
    queries = Shard(shop.work, path).read("popular", PopularQuery)
    assert [query.text for query in queries] == ["gift ideas", "red dress"]
    second = mine.work(shop, "night")
    assert second.shards == first.shards
    assert Shard(shop.work, path).read("popular", PopularQuery) == queries
    assert read_plan(shop.work, second.batch).counts["log_objects_read"] == 0


@pytest.mark.parametrize("queries", [0, 1, 100, 101, 10_000, 33_300, 33_301, 200_000, 5_000_000])
def test_airflow_maps_a_thousand_tasks_at_most(queries: int) -> None:
    """Shards grow with the number of queries; each is a mapped task of three stages."""
    size = shard_size(queries, least=LEAST_A_SHARD, most_shards=MOST_SHARDS)
    assert size >= LEAST_A_SHARD
    assert 3 * -(-queries // size) <= 1000


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("pinned = ['']", "query_log.pinned"),
        ("pinned = ['  ']", "query_log.pinned"),
        ('pinned = ["\\u001b[31m"]', "query_log.pinned"),
        ("pinned = [{text = 'hat', locale = 'en|a'}]", "query_log.pinned"),
        ("day_pattern = '('", "query_log.day_pattern"),
        ("day_pattern = '2026'", "query_log.day_pattern"),
        ("window_days = 0", "query_log.window_days"),
    ],
)
def test_a_wrong_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, says: str
) -> None:
    """Before any work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MMSEARCH_CONFIG", raising=False)
    (tmp_path / "mmsearch.toml").write_text(f"[query_log]\n{toml}\n")
    with pytest.raises(BadSettings, match=says):
        load_settings()
