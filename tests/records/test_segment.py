"""Places in assets, as ids and as addresses."""

import pytest

from mmsearch_core.records.segment import Page, Span, Where, Whole, fragment, parse_where


@pytest.mark.parametrize(
    ("where", "behind"),
    [
        (Whole(), ""),
        (Page(number=3), "page=3"),
        (Span(start=23, end=27.5), "t=23.0"),
        (Span(start=3600.25, end=3601), "t=3600.2"),
    ],
)
def test_an_address_opens_at_the_place(where: Where, behind: str) -> None:
    assert fragment(where) == behind
    assert parse_where(str(where)) == where
