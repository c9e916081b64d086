"""From what people type to what is looked for."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from mmsearch_core.records.description import bracketed
from mmsearch_core.records.ids import QueryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryEvent:
    """One line of the query log."""

    time: datetime
    session: str
    locale: str
    query: str


def normalise(text: str) -> str:
    """NFKC, lower case, white space collapsed: what counts as the same query."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).lower()).strip()


def query_key(text: str, locale: str) -> QueryKey:
    """sha256 of ``q1|locale|normalised text``, in hex: a storefront computes it in a few lines of any language."""
    return QueryKey(sha256(f"q1|{locale}|{normalise(text)}".encode()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularQuery:
    """A query worth precomputing; ``aliases`` are the other spellings that were merged into it."""

    query_key: QueryKey
    text: str
    locale: str
    weight: float
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """The attribute has one of the values; or, with ``exclude``, none of them."""

    attribute: str
    values: tuple[str, ...]
    exclude: bool = False

    def __str__(self) -> str:
        return f"{self.attribute}: {'not ' if self.exclude else ''}{' or '.join(self.values)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardQuery:
    """A popular query in canonical wording and keywords (both by language), with its hard constraints."""

    query_key: QueryKey
    text: str
    locale: str
    wording: Mapping[str, str]
    keywords: Mapping[str, tuple[str, ...]]
    constraints: tuple[Constraint, ...] = ()

    @property
    def judged_text(self) -> str:
        """How the judge reads this query, in the form of ``Description.judged_text``."""
        return bracketed(self.wording.get("en", self.text), [str(constraint) for constraint in self.constraints])
