"""Pictures, and words about them, as standard queries."""

import pytest

from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import QueryKey, SegmentId
from mmsearch_core.records.query import Constraint, StandardQuery
from mmsearch_core.search.ask import with_picture

KEY = QueryKey("k")
SEEN = Description(
    segment_id=SegmentId(""),
    attributes={"category": "dress", "color": "red", "pattern": "plain"},
    caption={"en": "red dress", "zh": "红色连衣裙"},
    keywords={"en": ("red", "dress"), "zh": ("红色", "连衣裙")},
)


def words(text: str, zh: str, *constraints: Constraint) -> StandardQuery:
    wording, keywords = {"en": text, "zh": zh}, {"en": (text,), "zh": (zh,)}
    return StandardQuery(
        query_key=KEY,
        text=text,
        locale="en",
        wording=wording,
        keywords=keywords,
        constraints=constraints,
    )


def test_a_picture_alone_asks_for_what_it_shows() -> None:
    query = with_picture(KEY, SEEN)
    assert query.judged_text == "red dress (category: dress; color: red; pattern: plain)"
    assert query.keywords == {"en": ("red", "dress"), "zh": ("红色", "连衣裙")}


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (
            words("blue", "蓝色", Constraint(attribute="color", values=("blue",))),
            "blue dress (category: dress; color: blue; pattern: plain)",
        ),
        (
            words("striped", "条纹", Constraint(attribute="pattern", values=("striped",))),
            "striped red dress (category: dress; color: red; pattern: striped)",
        ),
        (
            words(
                "not red", "不要红色", Constraint(attribute="color", values=("red",), exclude=True)
            ),
            "dress (category: dress; color: not red; pattern: plain)",
        ),
        (
            words(
                "blue or green",
                "蓝色或绿色",
                Constraint(attribute="color", values=("blue", "green")),
            ),
            "blue or green dress (category: dress; color: blue or green; pattern: plain)",
        ),
    ],
)
def test_words_win_over_the_picture(added: StandardQuery, expected: str) -> None:
    query = with_picture(KEY, SEEN, added)
    assert query.judged_text == expected
    assert "红色" not in query.keywords["zh"]
