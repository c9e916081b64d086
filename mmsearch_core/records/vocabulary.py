"""The shop's own words: by which attributes its products are told apart, and which values there
are."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of an attribute. ``value_id`` stands in answers and queries; ``words`` are what
    shoppers type for it, by language."""

    value_id: str
    words: Mapping[str, tuple[str, ...]]

    def is_called(self, word: str) -> bool:
        """Whether the word is this value's id, or what shoppers type for it in some language."""
        names = (self.value_id, *chain.from_iterable(self.words.values()))
        return word.casefold() in map(str.casefold, names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """Something by which products are told apart.

    A query's constraint on a ``soft`` attribute may be missed by a product that is shown all the
    same, behind those that fit; any other is kept. Of a ``closed`` attribute a product has one of
    the ``values``.
    """

    name: str
    source: Literal["picture"]
    kind: Literal["closed"]
    soft: bool
    values: tuple[Value, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The values' ids, in their order."""
        return tuple(value.value_id for value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gains:
    """What a product is worth to whoever asks: one that fits the whole query, and one that is near,
    since it misses one soft constraint. One that misses more is worth nothing."""

    fits: float
    near: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words of one shop."""

    languages: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    gains: Gains

    def named(self, name: str) -> Attribute | None:
        """The attribute of this name."""
        return next((each for each in self.attributes if each.name == name), None)

    def closed(self) -> dict[str, tuple[str, ...]]:
        """The ids of the values of each closed attribute that is seen in pictures, by its name."""
        return {each.name: each.ids for each in self.attributes}
