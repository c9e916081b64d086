"""What a product is worth for a query, worked out of how likely each value of its attributes is.

Per constraint, f is the likelihood that it is met. A product fits the query if all constraints are
met, and is near if one soft constraint is missed and nothing else. The expected gain of a product
is what fits times the likelihood that it fits, plus what is near times the likelihood that it is
near; order, verdict and reason all come from these numbers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mmsearch_core.records.query import Constraint
from mmsearch_core.records.vocabulary import Attribute, Vocabulary

Likelihoods = Mapping[str, Mapping[str, float]]  # by attribute and value
Tier = Literal["fits", "near"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """``expected`` is the gain that is expected of the product, in shares of the largest there is.
    ``fits`` and ``near`` are likelihoods; what is left is that of a product worth nothing.
    ``is_excluded`` says that the product more likely than not is what the query does not want."""

    expected: float
    fits: float
    near: float
    is_excluded: bool
    reason: str

    @property
    def tier(self) -> Tier:
        """What the product is, if it is anything."""
        return "fits" if self.fits >= self.near else "near"


class Grader:
    """Grades products for one query."""

    def __init__(self, constraints: Sequence[Constraint], vocabulary: Vocabulary) -> None:
        """ValueError for a constraint on what the vocabulary does not know: see ``covered``."""
        self._near_is_worth = vocabulary.gains.near / vocabulary.gains.fits
        self._wanted = [_wanted(constraint, vocabulary) for constraint in constraints]

    def grade(self, likelihoods: Likelihoods) -> Grade:
        """The grade of what looks so. Of an attribute of which nothing is known every value is as
        likely as the next."""
        weights = [likelihoods.get(each.attribute.name, {}) for each in self._wanted]
        met = [each.met(known) for each, known in zip(self._wanted, weights, strict=True)]
        missable = [place for place, each in enumerate(self._wanted) if each.may_be_missed]
        near = sum(_only_missed(place, met) for place in missable)
        if len(met) == 1:  # what misses the only constraint has nothing of what is wanted
            near = 0.0
        fits = math.prod(met)
        unwanted = [
            each.constraint.exclude and kept < 0.5
            for each, kept in zip(self._wanted, met, strict=True)
        ]
        reasons = [each.reason(known) for each, known in zip(self._wanted, weights, strict=True)]
        return Grade(
            expected=fits + near * self._near_is_worth,
            fits=fits,
            near=near,
            is_excluded=any(unwanted),
            reason="; ".join(reasons),
        )


def covered(constraints: Sequence[Constraint], vocabulary: Vocabulary) -> bool:
    """Whether there are constraints, and the vocabulary knows the attribute of each."""
    known = [vocabulary.named(constraint.attribute) for constraint in constraints]
    return bool(known) and None not in known


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A constraint in the values of its attribute: ``shares`` say how far each of them is what the
    constraint names, 0 to 1."""

    constraint: Constraint
    attribute: Attribute
    accepted: frozenset[str]
    shares: Mapping[str, float]

    @property
    def may_be_missed(self) -> bool:
        """Whether a product is near that misses this one alone."""
        return self.attribute.soft and not self.constraint.exclude

    def met(self, weights: Mapping[str, float]) -> float:
        """The likelihood that the constraint is met, where the values are so likely."""
        if weights:
            share = sum(self.shares[value] * weights.get(value, 0.0) for value in self.shares)
        else:
            share = sum(self.shares.values()) / len(self.shares)
        share = min(1.0, share)
        return 1 - share if self.constraint.exclude else share

    def reason(self, weights: Mapping[str, float]) -> str:
        """What the attribute most likely is, and what is wanted instead, if that is something
        else."""
        name, wanted = self.attribute.name, str(self.constraint).partition(": ")[2]
        if not weights:
            return f"{name} is unknown, wanted {wanted}"
        likeliest = max(weights, key=lambda value: weights[value])
        said = f"{name} is {likeliest} ({weights[likeliest]:.2f})"
        meets = (likeliest in self.accepted) != self.constraint.exclude
        return said if meets else f"{said}, wanted {wanted}"


def _wanted(constraint: Constraint, vocabulary: Vocabulary) -> Wanted:
    attribute = vocabulary.named(constraint.attribute)
    if attribute is None:
        raise ValueError(f"the vocabulary has no {constraint.attribute}")
    named = accepted(constraint, attribute)
    if constraint.likelihoods:
        shares = {value: constraint.likelihoods.get(value, 0.0) for value in attribute.ids}
    else:
        shares = {value: float(value in named) for value in attribute.ids}
    return Wanted(constraint=constraint, attribute=attribute, accepted=named, shares=shares)


def _only_missed(place: int, met: Sequence[float]) -> float:
    """The likelihood that this constraint is missed, and it alone."""
    return (1 - met[place]) * math.prod(met[:place]) * math.prod(met[place + 1 :])


def accepted(constraint: Constraint, attribute: Attribute) -> frozenset[str]:
    """The values that the constraint names, by their ids or by words for them. Where none is named
    so, those that have all of its words, or of whose words it has all: "navy blue" is blue."""
    found: set[str] = set()
    for named in constraint.values:
        exact = {value.value_id for value in attribute.values if value.is_called(named)}
        found |= exact or {each for each in attribute.ids if _overlap(_words(each), _words(named))}
    return frozenset(found)


def _overlap(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one and other) and (one <= other or other <= one)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.casefold().split())
