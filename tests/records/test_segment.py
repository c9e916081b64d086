"""Places in assets, as ids and as addresses."""

import pytest

from mmsearch_core.records.segment import Page, Span, Where, Whole, fragment, parse_where


@pytest.mark.parametrize(
    ("where", "behind"),
    [
        (Whole(), ""),
        (Page(number=3), "page=3"),
        (Page(number=3, box=(54, 65, 290, 1000)), "page=3"),
        (Span(start=23, end=27.5), "t=23.0"),
        (Span(start=3600.25, end=3601), "t=3600.2"),
    ],
)
def test_an_address_opens_at_the_place(where: Where, behind: str) -> None:
    assert fragment(where) == behind
    assert parse_where(str(where)) == where


@pytest.mark.parametrize(
    "text", ["", "page:", "page:0", "page:3@", "page:3@1,2,3", "page:3@a,b,c,d", "span:2-1", "all"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"place|page|span|invalid|unpack|float"):
        parse_where(text)
