"""The query key: what a storefront has to compute."""

from hashlib import sha256

import pytest

from mmsearch_core.records.query import Constraint, StandardQuery, normalise, query_key


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("Red  Striped\tDress ", "red striped dress"),
        ("ＲＥＤ　ｄｒｅｓｓ", "red dress"),  # full width letters and space
        ("红色　连衣裙", "红色 连衣裙"),
        ("ﬁne Å", "fine å"),
        ("", ""),
    ],
)
def test_spellings_of_one_query_have_one_key(typed: str, same: str) -> None:
    """NFKC, lower case, collapsed white space."""
    assert normalise(typed) == same
    assert query_key(typed, "en") == query_key(same, "en")


def test_the_key_is_ten_lines_of_any_language() -> None:
    """sha256 of the text with its version and locale in front."""
    assert query_key("red dress", "en") == sha256(b"q1|en|red dress").hexdigest()
    assert query_key("red dress", "en") != query_key("red dress", "zh")


def test_the_judge_reads_wording_and_constraints() -> None:
    """In the form of a description."""
    query = StandardQuery(
        query_key=query_key("x", "en"),
        text="x",
        locale="en",
        wording={"en": "red or blue dress, not striped"},
        keywords={},
        constraints=(
            Constraint(attribute="color", values=("red", "blue")),
            Constraint(attribute="pattern", values=("striped",), exclude=True),
        ),
    )
    assert query.judged_text == "red or blue dress, not striped (color: red or blue; pattern: not striped)"
