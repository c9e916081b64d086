"""mine: what counts as a popular query."""

from datetime import UTC, datetime, timedelta

from mmsearch_core.records.query import QueryEvent, query_key
from mmsearch_core.settings import QueryLog
from mmsearch_core.stages.mine import popular_queries

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def asked(query: str, sessions: int, *, locale: str = "en", days_ago: float = 0, name: str = "s") -> list[QueryEvent]:
    """``sessions`` people ask once each."""
    time = NOW - timedelta(days=days_ago)
    return [QueryEvent(time=time, session=f"{name}{n}", locale=locale, query=query) for n in range(sessions)]


def texts(events: list[QueryEvent], **knobs: object) -> list[str]:
    return [found.text for found in popular_queries(events, QueryLog.model_validate(knobs))]


def test_a_session_counts_once_a_day() -> None:
    """Somebody who types the same thing fifty times is one person."""
    events = asked("red dress", 3) + [asked("blue bag", 1)[0]] * 50
    assert texts(events, min_sessions=1) == ["red dress", "blue bag"]


def test_old_interest_fades_by_half_lives() -> None:
    """Eight people two half-lives ago weigh as much as two today."""
    weights = {q.text: q.weight for q in popular_queries(asked("coat", 8, days_ago=14) + asked("bag", 2), QueryLog())}
    assert weights == {"coat": 2.0, "bag": 2.0}


def test_robots_junk_and_rare_queries_are_left_out() -> None:
    """A session with over a hundred queries is a robot; addresses and digits are junk; one session is not popular."""
    robot = [QueryEvent(time=NOW, session="bot", locale="en", query=f"bag {n % 7}") for n in range(200)]
    junk = asked("https://example.com/x", 5, name="j") + asked("12345", 5, name="k") + asked("x" * 200, 5, name="l")
    assert texts(robot + junk + asked("once", 1) + asked("red dress", 2)) == ["red dress"]


def test_a_typing_error_becomes_an_alias_and_a_real_word_does_not() -> None:
    """A query: "red drees" joins "red dress"; "red skirt" and "red shirt" stay two queries."""
    events = asked("red dress", 20) + asked("red drees", 2) + asked("red shirt", 20) + asked("red skirt", 3)
    events += asked("blue skirt", 3)
    found = {query.text: query.aliases for query in popular_queries(events, QueryLog())}
    assert found["red dress"] == ("red drees",)
    assert {"red shirt", "red skirt"} <= set(found)
    assert "red drees" not in found


def test_chinese_queries_one_character_apart_are_two_queries() -> None:
    """红色连衣裙 is a red dress, 紫色连衣裙 a purple one."""
    events = asked("红色连衣裙", 20, locale="zh") + asked("紫色连衣裙", 2, locale="zh")
    assert texts(events) == ["红色连衣裙", "紫色连衣裙"]


def test_spelling_is_normalised_and_pinned_queries_are_always_in() -> None:
    """Width, case and spaces do not matter."""
    events = asked("Red  DRESS", 2) + asked("red dress", 2, name="t") + asked("红色连衣裙", 3, locale="zh")
    found = popular_queries(events, QueryLog(pinned=("Gift Ideas",)))
    assert [query.text for query in found] == ["gift ideas", "red dress", "红色连衣裙"]
    assert found[1].weight == 4.0
    assert found[2].query_key == query_key("红色连衣裙", "zh")


def test_an_empty_log_has_no_popular_queries() -> None:
    """No log is not an error."""
    assert popular_queries([], QueryLog()) == []
