"""What is too much to hold is sorted and told apart on disk."""

import random

import pytest

from mmsearch_core.catalog.spooled import count_different, in_order


@pytest.mark.parametrize("number", [0, 1, 1_000])
def test_keys_come_in_order_whatever_order_they_came_in(number: int) -> None:
    keys = [f"pictures/{n:04}/红 'a'.jpg" for n in range(number)]
    random.Random(0).shuffle(keys)
    pieces = list(in_order(iter(keys), 300))
    assert [key for piece in pieces for key in piece] == sorted(keys)
    assert all(len(piece) == 300 for piece in pieces[:-1])


def test_contents_are_counted_once_a_group() -> None:
    things = [("a", (True, False)), ("a", (True, True)), ("b", (False, True)), ("c", (True, False))]
    assert count_different(iter(things), ("describe", "embed_image")) == {
        "describe": 2,
        "embed_image": 2,
    }
    assert count_different(iter([]), ("describe",)) == {"describe": 0}
