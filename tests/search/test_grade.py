"""What a product is worth, by how likely it meets each constraint."""

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsearch_core.records.query import Constraint
from mmsearch_core.records.vocabulary import Vocabulary
from mmsearch_core.search.grade import Grade, Grader, Likelihoods, accepted, covered
from mmsearch_core.vocabulary import load

SAMPLE = load("sample")
DRESS = Constraint(attribute="category", values=("dress",))
RED = Constraint(attribute="color", values=("red",))
NOT_RED = Constraint(attribute="color", values=("red",), exclude=True)
STRIPED = Constraint(attribute="pattern", values=("striped",))
LOOKS = {
    "category": {"dress": 0.8, "shirt": 0.2},
    "color": {"red": 0.9, "pink": 0.1},
    "pattern": {"striped": 0.5, "plain": 0.5},
}


def grade(
    constraints: Sequence[Constraint], likelihoods: Likelihoods, vocabulary: Vocabulary
) -> Grade:
    return Grader(constraints, vocabulary).grade(likelihoods)


def test_what_meets_all_constraints_fits_and_what_misses_one_soft_one_is_near() -> None:
    found = grade((DRESS, RED), LOOKS, SAMPLE)
    assert found.fits == pytest.approx(0.8 * 0.9)
    assert found.near == pytest.approx(0.8 * 0.1)  # a shirt that is red is nothing
    assert found.expected == pytest.approx(0.72 + 0.08 / 2)
    assert found.tier == "fits"


def test_only_one_constraint_may_be_missed() -> None:
    found = grade((DRESS, RED, STRIPED), LOOKS, SAMPLE)
    assert found.fits == pytest.approx(0.8 * 0.9 * 0.5)
    assert found.near == pytest.approx(0.8 * (0.1 * 0.5 + 0.9 * 0.5))
    assert found.tier == "near"


def test_what_breaks_a_not_is_worth_nothing() -> None:
    found = grade((DRESS, NOT_RED), LOOKS, SAMPLE)
    assert found.fits == pytest.approx(0.8 * 0.1)
    assert found.near == 0


def test_what_more_likely_than_not_is_unwanted_is_excluded() -> None:
    """However little is asked of a product to be shown."""
    assert grade((DRESS, NOT_RED), {"color": {"red": 0.51, "pink": 0.49}}, SAMPLE).is_excluded
    assert not grade((DRESS, NOT_RED), {"color": {"red": 0.49, "pink": 0.51}}, SAMPLE).is_excluded
    assert not grade((DRESS, RED), {"color": {"pink": 1.0}}, SAMPLE).is_excluded


def test_what_misses_the_only_constraint_is_not_near() -> None:
    assert grade((RED,), {"color": {"blue": 1.0}}, SAMPLE).near == 0


def test_of_several_values_any_will_do() -> None:
    either = Constraint(attribute="color", values=("red", "pink"))
    assert grade((either,), LOOKS, SAMPLE).fits == pytest.approx(1)


def test_where_nothing_is_known_every_value_is_as_likely() -> None:
    found = grade((RED,), {}, SAMPLE)
    assert found.fits == pytest.approx(1 / 10)
    assert found.reason == "color is unknown, wanted red"


def test_a_picture_wants_what_it_most_likely_shows() -> None:
    shown = Constraint(
        attribute="category", values=("shirt",), likelihoods={"shirt": 0.6, "dress": 0.4}
    )
    assert grade((shown,), LOOKS, SAMPLE).fits == pytest.approx(0.6 * 0.2 + 0.4 * 0.8)


def test_the_reason_says_what_is_seen_and_what_is_wanted_instead() -> None:
    found = grade((DRESS, NOT_RED, STRIPED), LOOKS, SAMPLE)
    assert found.reason == (
        "category is dress (0.80); color is red (0.90), wanted not red; pattern is striped (0.50)"
    )


@pytest.mark.parametrize(
    ("attribute", "named", "values"),
    [
        ("color", "red", {"red"}),
        ("color", "Scarlet", {"red"}),
        ("color", "红", {"red"}),
        ("color", "navy blue", {"blue"}),
        ("category", "boot", {"ankle boot"}),
        ("category", "boots", {"ankle boot"}),
        ("category", "shirt", {"shirt"}),  # not the t-shirt
        ("color", "turquoise", set()),
        ("color", "", set()),
    ],
)
def test_values_are_known_by_their_words(attribute: str, named: str, values: set[str]) -> None:
    known = SAMPLE.named(attribute)
    assert known
    assert accepted(Constraint(attribute=attribute, values=(named,)), known) == values


def test_a_value_that_no_product_can_have_is_missed() -> None:
    turquoise = Constraint(attribute="color", values=("turquoise",))
    found = grade((DRESS, turquoise), LOOKS, SAMPLE)
    assert found.fits == 0
    assert found.near == pytest.approx(0.8)


def test_constraints_are_covered_where_the_vocabulary_knows_every_attribute() -> None:
    silk = Constraint(attribute="material", values=("silk",))
    assert covered((DRESS, RED), SAMPLE)
    assert not covered((DRESS, silk), SAMPLE)
    assert not covered((), SAMPLE)
    with pytest.raises(ValueError, match="material"):
        grade((silk,), LOOKS, SAMPLE)


def test_red_that_is_not_red_cannot_be() -> None:
    found = grade((RED, NOT_RED), LOOKS, SAMPLE)
    assert found.fits == pytest.approx(0.9 * 0.1)
    assert grade((RED, NOT_RED), {"color": {"red": 1.0}}, SAMPLE).expected == 0


def weights(vocabulary: Vocabulary, attribute: str) -> st.SearchStrategy[Mapping[str, float]]:
    known = vocabulary.named(attribute)
    assert known
    shares = st.lists(st.floats(0.001, 1), min_size=len(known.ids), max_size=len(known.ids))
    return shares.map(lambda some: {v: s / sum(some) for v, s in zip(known.ids, some, strict=True)})


@given(
    color=weights(SAMPLE, "color"),
    category=weights(SAMPLE, "category"),
    some=st.lists(st.sampled_from([DRESS, RED, NOT_RED, STRIPED]), min_size=1, max_size=4),
)
def test_likelihoods_stay_likelihoods(
    color: Mapping[str, float], category: Mapping[str, float], some: list[Constraint]
) -> None:
    found = grade(some, {"color": color, "category": category}, SAMPLE)
    assert 0 <= found.fits <= 1
    assert 0 <= found.near <= 1
    assert found.fits <= found.expected <= 1 + 1e-9
    assert math.isfinite(found.expected)
