"""Popular queries: who counts, what is merged, what is pinned."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mmsearch_core.records.query import QueryEvent, normalise, query_key
from mmsearch_core.settings import QueryLog
from mmsearch_core.stages.search.popular import Popular
from tests.query_log import NOW, asked, popular


def texts(events: Sequence[QueryEvent], **knobs: Any) -> list[str]:
    return [found.text for found in popular(events, **knobs).queries]


def aliases(found: Popular) -> dict[str, tuple[str, ...]]:
    return {query.text: query.aliases for query in found.queries}


def test_a_session_counts_once_a_day() -> None:
    """Somebody who types the same thing fifty times is one person."""
    events = asked("red dress", 3) + [asked("blue bag", 1)[0]] * 50
    assert texts(events, min_sessions=1) == ["red dress", "blue bag"]


def test_a_session_counts_once_a_day_over_all_objects() -> None:
    """A shop with ten servers writes ten logs."""
    found = popular(asked("red dress", 2), asked("Red Dress", 3), asked("red dress", 1, days_ago=1))
    assert [(query.text, query.weight) for query in found.queries] == [
        ("red dress", round(3 + 2 ** (-1 / 7), 6))
    ]


def test_old_interest_fades_by_half_lives() -> None:
    """Eight people two half-lives ago weigh as much as two today."""
    found = popular(asked("coat", 8, days_ago=14) + asked("bag", 2))
    assert {query.text: query.weight for query in found.queries} == {"coat": 2.0, "bag": 2.0}


def test_what_is_older_than_the_window_does_not_count() -> None:
    """Six half-lives, or as the settings say."""
    events = asked("coat", 80, days_ago=41) + asked("hat", 80, days_ago=43) + asked("bag", 2)
    assert texts(events) == ["bag", "coat"]
    assert texts(events, half_life_days=14) == ["coat", "hat", "bag"]
    assert texts(events, window_days=7) == ["bag"]


def test_a_log_that_ended_long_ago_still_says_what_was_popular() -> None:
    """The window ends with the newest event, not with today."""
    assert texts(asked("coat", 2), half_life_days=1) == ["coat"]
    found = popular(asked("coat", 2), now=NOW + timedelta(days=700))
    assert [(query.text, query.weight) for query in found.queries] == [("coat", 2.0)]


def test_an_event_of_the_future_says_nothing_of_the_present() -> None:
    """One clock that is wrong does not make all other weights nothing; a minute ahead is how clocks
    are."""
    events = asked("red dress", 50) + asked("aaa", 2, name="t")
    wrong = asked("hello", 2, days_ago=-26_000) + asked("hello", 2, days_ago=-1)
    found = popular(events + wrong, popular=1)
    assert [(query.text, query.weight) for query in found.queries] == [("red dress", 50.0)]
    assert found.counts["log_lines_ahead_of_the_clock"] == 4
    assert texts(asked("soon", 2, days_ago=-0.01)) == ["soon"]
    assert texts(wrong) == []


def test_robots_junk_and_rare_queries_are_left_out() -> None:
    """A session with over a hundred queries is a robot; addresses and digits are junk; one session
    is not popular."""
    robot = [
        QueryEvent(time=NOW, session="bot", locale="en", query=f"bag {n % 7}") for n in range(200)
    ]
    junk = (
        asked("https://example.com/x", 5, name="j")
        + asked("12345", 5, name="k")
        + asked("x" * 200, 5, name="l")
    )
    found = popular(robot + junk + asked("once", 1) + asked("red dress", 2))
    assert [query.text for query in found.queries] == ["red dress"]
    assert found.counts["log_lines_without_words"] == 15


def test_a_robot_is_known_by_all_that_it_sends() -> None:
    """Over several objects, and by junk too; on the next day it may be a person."""
    robot = [QueryEvent(time=NOW, session="s0", locale="en", query=f"{n}") for n in range(60)]
    later = asked("blue bag", 1, days_ago=1)
    assert texts([*robot, *asked("red dress", 1)], min_sessions=1) == ["red dress"]
    split = popular(robot, [*robot, *asked("red dress", 1), *later], min_sessions=1)
    assert [query.text for query in split.queries] == ["blue bag"]


def test_a_typing_error_becomes_an_alias_and_a_real_word_does_not() -> None:
    """A query: "red drees" joins "red dress"; "red skirt" and "red shirt" stay two queries."""
    events = (
        asked("red dress", 20)
        + asked("red drees", 2)
        + asked("red shirt", 20)
        + asked("red skirt", 3)
    )
    events += asked("blue skirt", 3)
    found = aliases(popular(events))
    assert found["red dress"] == ("red drees",)
    assert {"red shirt", "red skirt"} <= set(found)
    assert "red drees" not in found


def test_the_alias_of_an_alias_is_an_alias() -> None:
    """Every spelling that enough people typed finds a list."""
    events = asked("red dress", 100) + asked("red drress", 12) + asked("red drresss", 2)
    assert aliases(popular(events)) == {"red dress": ("red drress", "red drresss")}


def test_a_pinned_query_keeps_its_own_list() -> None:
    """However much it looks like a typing error of another; others may still be merged into it."""
    events = asked("red dress", 20) + asked("reed dress", 1, name="t")
    assert aliases(popular(events, pinned=["reed dress"])) == {"reed dress": (), "red dress": ()}
    events += asked("reed dress", 12, name="u") + asked("reedd dress", 1)
    assert aliases(popular(events, pinned=["Reed Dress"]))["reed dress"] == ("reedd dress",)


def test_chinese_queries_one_character_apart_are_two_queries() -> None:
    """红色连衣裙 is a red dress, 紫色连衣裙 a purple one."""
    events = asked("红色连衣裙", 20, locale="zh") + asked("紫色连衣裙", 2, locale="zh")
    assert texts(events) == ["红色连衣裙", "紫色连衣裙"]


def test_spelling_is_normalised_and_pinned_queries_are_always_in() -> None:
    """Width, case and spaces do not matter."""
    events = (
        asked("Red  DRESS", 2)
        + asked("red dress", 2, name="t")
        + asked("红色连衣裙", 3, locale="zh")
    )
    found = popular(events, pinned=["Gift Ideas"]).queries
    assert [query.text for query in found] == ["gift ideas", "red dress", "红色连衣裙"]
    assert found[1].weight == 4.0
    assert found[2].query_key == query_key("红色连衣裙", "zh")


def test_pinned_queries_have_a_locale_and_come_once() -> None:
    """As the settings say, or by the script; in the order of the settings, beside the popular
    ones."""
    pinned = [
        "b hat",
        "B  Hat",
        "红色连衣裙",
        {"text": "rotes Kleid", "locale": "de"},
        {"text": "b hat", "locale": "de"},
    ]
    found = popular(asked("b hat", 2) + asked("coat", 9), pinned=pinned, popular=1).queries
    assert [(query.text, query.locale) for query in found] == [
        ("b hat", "en"),
        ("红色连衣裙", "zh"),
        ("rotes kleid", "de"),
        ("b hat", "de"),
        ("coat", "en"),
    ]
    assert [query.weight for query in found] == [2.0, 0.0, 0.0, 0.0, 9.0]


def test_an_empty_log_has_no_popular_queries() -> None:
    """No log is not an error, nor is one in which nothing can be read."""
    assert popular().queries == ()
    assert popular([b"{", b"\xff"]).queries == ()
    assert texts([], pinned=["gift ideas"]) == ["gift ideas"]


WORDS = st.sampled_from(
    ["dress", "drss", "dresss", "drses", "dres", "red", "rde", "reed", "caf\xe9", "cafe", "a b"]
)
WISHES = st.lists(
    st.tuples(
        st.lists(WORDS, min_size=1, max_size=2).map(" ".join), st.sampled_from([1, 2, 5, 11, 30])
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda wish: wish[0],
)


@settings(max_examples=60, deadline=None)
@given(
    english=WISHES,
    german=WISHES,
    pinned=st.lists(WORDS.filter(lambda word: word != "a b"), max_size=2),
)
def test_merging_is_what_comparing_every_pair_would_give(
    english: list[tuple[str, int]], german: list[tuple[str, int]], pinned: list[str]
) -> None:
    """The index meets few pairs, and misses none that counts."""
    events = [event for text, people in english for event in asked(text, people)]
    events += [event for text, people in german for event in asked(text, people, locale="de")]
    knobs = QueryLog.model_validate({"popular": 4, "pinned": pinned})
    found = popular(events, popular=4, pinned=pinned).queries
    expected = by_every_pair(english, german, knobs)
    assert {(query.text, query.locale): set(query.aliases) for query in found} == expected


def by_every_pair(
    english: list[tuple[str, int]], german: list[tuple[str, int]], knobs: QueryLog
) -> dict[tuple[str, str], set[str]]:
    """Published queries with their aliases, the slow way."""
    from rapidfuzz.distance import OSA

    weights = {
        (normalise(text), locale): n
        for locale, wishes in (("en", english), ("de", german))
        for text, n in wishes
    }
    heavy = {asked for asked, weight in weights.items() if weight >= knobs.min_sessions}
    rank = sorted(weights, key=lambda asked: (-weights[asked], asked))
    known = Counter(word for text, _ in heavy for word in text.split())
    pinned = [query.query for query in knobs.pinned]
    target = {}
    for asked_one in weights:
        text, locale = asked_one
        mistyped = any(known[word] <= (asked_one in heavy) for word in text.split())
        if asked_one in pinned or len(text) < 5 or not text.isascii() or not mistyped:
            continue
        for other in rank:
            near = other[1] == locale and OSA.distance(text, other[0]) == 1
            if other in heavy and near and weights[other] > 5 * weights[asked_one]:
                target[asked_one] = other
                break
    published = [asked_one for asked_one in rank if asked_one in heavy and asked_one not in target][
        : knobs.popular
    ]
    result: dict[tuple[str, str], set[str]] = defaultdict(
        set, {one: set() for one in [*published, *pinned]}
    )
    for merged in target:
        root = merged
        while root in target:
            root = target[root]
        if root in published or root in pinned:
            result[root].add(merged[0])
    return dict(result)


def test_weights_do_not_depend_on_the_order_of_the_log() -> None:
    """A run that is repeated freezes the same plan."""
    events = [
        event
        for days in range(30)
        for event in asked("red dress", 3, days_ago=days / 3, name=f"d{days}-")
    ]
    (one,), (other,) = popular(events).queries, popular(events[::-1]).queries
    assert one == other
    assert math.isclose(one.weight, sum(3 * 2 ** (-days / 21) for days in range(30)), rel_tol=1e-6)
