"""From what people type to what is looked for."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from mmsearch_core.records.description import bracketed
from mmsearch_core.records.ids import QueryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryEvent:
    """One line of the query log: in this session somebody typed this."""

    time: datetime  # UTC
    session: str
    locale: str
    query: str


# The white space of a query key, as a class of a regular expression that Python and JavaScript read
# alike. It is spelled out because their own \s differ: U+001C to U+001F and U+0085 are in one,
# U+FEFF is in the other.
WHITE_SPACE = (
    r"[\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a"
    r"\u2028\u2029\u202f\u205f\u3000\ufeff]"
)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_SPACES = re.compile(f"{WHITE_SPACE}+")
_LOCALE = re.compile(r"[A-Za-z0-9_-]{1,35}")  # as in BCP 47, which allows 35 characters

LONGEST_TYPED = 400  # characters before, and
LONGEST_QUERY = 100  # characters after normalising: whatever is longer was pasted
# a control character, a surrogate, a private one, one that this Python's Unicode does not know
_UNUSABLE_CATEGORIES = {"Cc", "Cs", "Co", "Cn"}
_UNUSABLE = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffd")


def normalise(text: str) -> str:
    """What counts as the same query: NFKC, lower case, NFKC again, white space collapsed and cut
    off at both ends.

    Normalising twice gives the same text; the second NFKC is what makes it so (an accent after a
    capital may have no composed form although it has one after the small letter). Half a surrogate
    pair counts as U+FFFD, as it does for every encoder of a browser."""
    lower = unicodedata.normalize("NFKC", _well_formed(text)).lower()
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", lower)).strip(" ")


def guess_locale(text: str) -> str:
    """The locale of a text that nobody named: "zh" where there is a Chinese character, else
    "en"."""
    return "zh" if _CHINESE.search(text) else "en"


def query_key(text: str, locale: str) -> QueryKey:
    """sha256 of ``q1|locale|normalised text``, in hex: a storefront computes it in a few lines of
    any language.

    Any text has a key. ``serving/examples`` holds the same in Python and JavaScript for a shop to
    copy, and ``query_keys.json`` beside them the cases that both are held to."""
    return QueryKey(sha256(f"q1|{_well_formed(locale)}|{normalise(text)}".encode()).hexdigest())


def is_locale(text: str) -> bool:
    """Whether the text can be the locale of a query: only letters, digits, hyphens and underscores,
    so that where it ends in a query key is never in doubt."""
    return _LOCALE.fullmatch(text) is not None


def usable_query(typed: str) -> str | None:
    """The normalised query if a person may have meant it as one, else None: it is empty or too
    long, or holds an address, control characters, overrides of the writing direction, or characters
    that not every Unicode knows."""
    if len(typed) > LONGEST_TYPED:
        return None
    text = normalise(typed)
    if not 0 < len(text) <= LONGEST_QUERY or "://" in text:
        return None
    if text.isascii():
        return text if text.isprintable() else None
    categories = {unicodedata.category(character) for character in text}
    return None if categories & _UNUSABLE_CATEGORIES or _UNUSABLE & set(text) else text


def _well_formed(text: str) -> str:
    """Surrogate pairs joined, halves of one replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


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
    """The attribute has one of the values; or, with ``exclude``, none of them. Where a picture says
    what is wanted, ``likelihoods`` say how likely it shows each value."""

    attribute: str
    values: tuple[str, ...]
    exclude: bool = False
    likelihoods: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.attribute}: {'not ' if self.exclude else ''}{' or '.join(self.values)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardQuery:
    """A popular query in canonical wording and keywords (both by language), with its hard
    constraints."""

    query_key: QueryKey
    text: str
    locale: str
    wording: Mapping[str, str]
    keywords: Mapping[str, tuple[str, ...]]
    constraints: tuple[Constraint, ...] = ()

    @property
    def judged_text(self) -> str:
        """How the judge reads this query, in the form of ``Description.judged_text``."""
        return bracketed(
            self.wording.get("en", self.text), [str(constraint) for constraint in self.constraints]
        )
