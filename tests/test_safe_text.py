"""What comes from outside is shown harmlessly: whatever it holds, a terminal obeys none of it."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsearch_core.safe_text import printable, redacted, to_json_text

# half of what is drawn is what terminals obey
hostile = st.lists(
    st.one_of(
        st.text(),
        st.sampled_from(
            [
                "\x1b[2J",
                "\x1b]0;title\x07",
                "\x9b31m",
                "\u202e",
                "\u2066",
                "\ud800",
                "\x00",
                "\r\n",
                "[/b]",
            ]
        ),
        st.characters(categories=["Cc", "Cs", "Cf", "Zl", "Zp"]),
    )
).map("".join)


@given(hostile)
def test_no_harmful_character_is_left(text: str) -> None:
    shown = printable(text)
    shown.encode()  # no halves of surrogate pairs
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
    )


@given(st.text(alphabet=st.characters(categories=["L", "M", "N", "P", "S", "Zs"])))
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_letters_that_need_a_joiner_keep_it() -> None:
    """Emoji and Persian are written with them."""
    for text in ("👩\u200d👩\u200d👧", "می\u200cخواهم", "红色连衣裙"):
        assert printable(text) == text


def test_an_escape_shows_what_was_there() -> None:
    assert printable("a\x1b[2Jb\u202e\n\U000e0041") == r"a\x1b[2Jb\u202e\x0a\U000e0041"


@given(st.dictionaries(hostile, st.lists(hostile | st.integers() | st.booleans() | st.none())))
def test_json_is_valid_and_harmless_and_says_the_same(value: dict[str, object]) -> None:
    for indent in (None, 2):
        dumped = to_json_text(value, indent=indent)
        dumped.encode()
        assert json.loads(dumped) == json.loads(json.dumps(value))
        assert printable(dumped.replace("\n", "")) == dumped.replace("\n", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:secret@milvus:19530 is away", "http://…@milvus:19530 is away"),
        ("https://secret-token@milvus", "https://…@milvus"),
        ("postgresql+psycopg://me:pa@ss@db/ledger", "postgresql+psycopg://…@db/ledger"),
        ("http://me:pa/ss@host/q", "http://…@host/q"),
        ("http://host/q?token=abc&x=1", "http://host/q?token=…&x=1"),
        ("postgresql://db/x?user=me&password=abc", "postgresql://db/x?user=me&password=…"),
        ("https://b/k?X-Amz-Signature=ab12#x", "https://b/k?X-Amz-Signature=…#x"),
        ("http://127.0.0.1:19530", "http://127.0.0.1:19530"),
        ("sqlite:///mmsearch.db", "sqlite:///mmsearch.db"),
    ],
)
def test_credentials_in_an_address_are_not_shown(text: str, shown: str) -> None:
    assert redacted(text) == shown
