"""The query key: what a storefront has to compute."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsearch_core.records.query import (
    Constraint,
    StandardQuery,
    is_locale,
    normalise,
    query_key,
    usable_query,
)
from mmsearch_core.serving import examples

CASES: list[dict[str, Any]] = json.loads(
    (Path(examples.__file__).parent / "query_keys.json").read_text()
)
ANYTHING = st.text(st.characters())  # with halves of surrogate pairs


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_keys_are_as_written_down(case: dict[str, Any]) -> None:
    """What was published under a key last year is still found under it."""
    assert normalise(case["text"]) == case["normalised"]
    assert query_key(case["text"], case["locale"]) == case["key"]


def test_the_written_cases_are_many_and_different() -> None:
    """A shop's own reader is held to them."""
    assert len({(case["locale"], case["text"]) for case in CASES}) == len(CASES) >= 60


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


@given(text=ANYTHING, locale=ANYTHING)
def test_every_text_has_a_key_and_its_normal_form_the_same(text: str, locale: str) -> None:
    """Results are published under the key of the normal form, and looked up by what was typed."""
    assert query_key(normalise(text), locale) == query_key(text, locale)


@given(text=ANYTHING)
def test_a_usable_query_is_normal_and_survives_being_written(text: str) -> None:
    """It goes into Parquet, JSON, prompts and onto pages."""
    usable = usable_query(text)
    if usable is not None:
        assert usable == normalise(text)
        assert usable.encode().decode() == usable
        assert usable.isprintable() or not usable.isascii()


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " \t ",
        "x" * 101,
        " " * 500 + "dress",
        "see https://example.com",
        "\x1b[31mred",
        "red\x00dress",
        "red \ud800 dress",
        "blue \ufffd dress",
        "\u202egnirts",
        "private \ue000",
        "unassigned \U000e0fff",
    ],
)
def test_what_no_person_typed_is_not_usable(typed: str) -> None:
    """It could not be published, or would be shown to somebody as something else."""
    assert usable_query(typed) is None


@pytest.mark.parametrize(
    "typed", ["Red Dress", "红色连衣裙", "👩‍🦰 wig", "שמלה\u200f", "50% off", "T-Shirt\n"]
)
def test_what_people_type_is_usable(typed: str) -> None:
    """In any script, with the marks that it needs."""
    assert usable_query(typed) == normalise(typed)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("en", True),
        ("zh-Hans-CN", True),
        ("pt_BR", True),
        ("", False),
        ("en|a", False),
        ("en ", False),
        ("é", False),
    ],
)
def test_where_a_locale_ends_is_never_in_doubt(text: str, good: bool) -> None:
    """The key of "b" in "en|a" is that of "a|b" in "en"."""
    assert is_locale(text) is good


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
    assert (
        query.judged_text
        == "red or blue dress, not striped (color: red or blue; pattern: not striped)"
    )
