"""How much tonight's lists differ from those that are published, in numbers, and which of the
numbers ask a person."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmsearch_core.records.ids import QueryKey
from mmsearch_core.records.query import query_key
from mmsearch_core.records.report import Gate, GateName, Loss, Worst
from mmsearch_core.serving.published_lists import ListedProducts
from mmsearch_core.settings import Search

PERSISTENCE = 0.9  # p of rank-biased overlap: the first ten places have 86 % of the weight
CHANGED = 0.5  # a list whose overlap with yesterday's is below this counts as changed
NAMED = 5  # queries of each kind that are named, the worst ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Tonight's lists against those of a generation, every list with the same weight. Aliases are
    not counted."""

    before: int  # lists of that generation
    gone: int  # of which have none tonight, under their own key or as an alias
    filled: int  # queries with a list in both that had a hit before
    emptied: int  # of which have none tonight
    changed: int  # of which overlap with the list before by less than half
    churn: float  # mean of 1 - rank-biased overlap, over those with hits in both
    worst: tuple[Worst, ...]


def rank_biased_overlap(
    first: Sequence[Any], second: Sequence[Any], p: float = PERSISTENCE
) -> float:
    """How alike two rankings are, from 0 (disjoint) to 1 (equal), the top counting most; their
    lengths may differ.

    Rank-biased overlap (Webber, Moffat and Zobel, TOIS 2010) down to the end of the longer ranking,
    divided by that of two equal rankings. It is not extrapolated: a published list ends where it
    ends, and one that lost its lower half has changed. ``p``, above 0 and below 1, is the
    probability that a reader looks at the next place. The items of a ranking are hashable and
    distinct; two empty rankings are equal.
    """
    seen_first: set[Any] = set()
    seen_second: set[Any] = set()
    overlap, agreement, weights, weight = 0, 0.0, 0.0, 1.0
    for depth in range(1, max(len(first), len(second)) + 1):
        if depth <= len(first):
            seen_first.add(first[depth - 1])
            overlap += first[depth - 1] in seen_second
        if depth <= len(second):
            seen_second.add(second[depth - 1])
            overlap += second[depth - 1] in seen_first
        agreement += weight * overlap / depth
        weights += weight
        weight *= p
    return agreement / weights if weights else 1.0


class Differ:
    """Adds up differences, bucket by bucket."""

    def __init__(self) -> None:
        self._kept = self._filled = self._emptied = self._changed = self._compared = 0
        self._churn = 0.0
        self._worst: dict[Loss, list[tuple[tuple[float, str, str], Worst]]] = {
            "gone": [],
            "emptied": [],
            "changed": [],
        }

    def add(
        self, before: Mapping[QueryKey, ListedProducts], tonight: Mapping[QueryKey, ListedProducts]
    ) -> None:
        """Compare the lists of one bucket, by query key."""
        for key, listed in before.items():
            if query_key(listed.query, listed.locale) != key:
                continue  # an alias: its list is compared under its own key
            if key in tonight:
                self._kept += 1
                self._compare(listed, tonight[key])
            else:
                self._name("gone", listed, 0.0, 0)

    def result(self, lists_before: int) -> Differences:
        """The differences; ``lists_before`` is how many lists the generation says that it has."""
        worst = [
            worst for named in self._worst.values() for _, worst in sorted(named, reverse=True)
        ]
        return Differences(
            before=lists_before,
            gone=max(0, lists_before - self._kept),
            filled=self._filled,
            emptied=self._emptied,
            changed=self._changed,
            churn=self._churn / self._compared if self._compared else 0.0,
            worst=tuple(worst),
        )

    def _compare(self, before: ListedProducts, tonight: ListedProducts) -> None:
        old, new = before.products, tonight.products
        if not old:
            return
        self._filled += 1
        if not new:
            self._emptied += 1
            self._name("emptied", before, 0.0, 0)
            return
        overlap = 1.0 if old == new else rank_biased_overlap(old, new)
        self._compared += 1
        self._churn += 1 - overlap
        if overlap < CHANGED:
            self._changed += 1
            self._name("changed", before, overlap, len(new))

    def _name(self, what: Loss, before: ListedProducts, overlap: float, hits: int) -> None:
        """Keep the worst of each kind: the least overlap, then the most hits before."""
        had = len(before.products)
        worst = Worst(
            query=before.query,
            locale=before.locale,
            what=what,
            overlap=round(overlap, 3),
            hits=(had, hits),
        )
        badness = 1 - overlap if what == "changed" else float(had)
        named = self._worst[what]
        heapq.heappush(named, ((badness, worst.query, worst.locale), worst))
        if len(named) > NAMED:
            heapq.heappop(named)


def gates(
    *,
    asked: int,
    answered: int,
    incomplete: bool,
    differences: Differences | None,
    settings: Search,
) -> tuple[Gate, ...]:
    """Hold the numbers against their limits. ``asked`` popular queries, of which so many were
    ``answered`` with a hit; ``differences`` is None where nothing is published yet, and then only
    tonight's own numbers count."""
    empty = _share(asked - answered, asked)
    too_few = answered < settings.coverage * asked
    found = [
        Gate(
            name="coverage",
            value=empty,
            limit=1 - settings.coverage,
            asks=too_few,
            says=f"{'Only ' if too_few else ''}{answered} of {asked} popular queries have results",
        ),
        Gate(
            name="index",
            value=float(incomplete),
            limit=0,
            asks=incomplete,
            says=f"the index was {'not ' if incomplete else ''}complete",
        ),
    ]
    if differences is not None:
        found += _against(differences, settings)
    return tuple(found)


def _against(found: Differences, settings: Search) -> Iterator[Gate]:
    least = settings.changes_at_least
    numbers: tuple[tuple[GateName, int, float, float, str], ...] = (
        ("gone", found.gone, _share(found.gone, found.before), settings.gone, _gone(found)),
        (
            "emptied",
            found.emptied,
            _share(found.emptied, found.filled),
            settings.emptied,
            _emptied(found),
        ),
        ("churn", found.changed, found.churn, settings.churn, _churn(found)),
    )
    for name, lists, value, limit, says in numbers:
        asks = lists > least and value > limit
        yield Gate(name=name, value=round(value, 6), limit=limit, asks=asks, says=says)


def worse(now: Iterable[Gate], approved: Iterable[Gate]) -> list[Gate]:
    """The gates that ask now and whose number is worse than the one that a person approved."""
    allowed = {gate.name: gate.value for gate in approved}
    return [gate for gate in now if gate.asks and gate.value > allowed.get(gate.name, 0.0)]


def table(gates: Iterable[Gate], worst: Iterable[Worst]) -> str:
    """The numbers and the worst queries, in Markdown, for the person who is asked."""
    lines = ["| | | asks |", "|---|---|---|"]
    lines += [
        f"| {gate.name} | {gate.says} | {'**yes**' if gate.asks else 'no'} |" for gate in gates
    ]
    rows = [
        f"| {_code(one.query)} | {_code(one.locale)} | {one.what} | {one.hits[0]} → {one.hits[1]} |"
        f" {one.overlap:.2f} |"
        for one in worst
    ]
    if rows:
        lines += ["", "| query | locale | what | hits | overlap |", "|---|---|---|---|---|", *rows]
    return "\n".join(lines)


def _gone(found: Differences) -> str:
    return f"{found.gone} of {found.before} published lists would be gone"


def _emptied(found: Differences) -> str:
    return f"{found.emptied} of {found.filled} lists would have lost all their hits"


def _churn(found: Differences) -> str:
    change = f"lists would change by {found.churn:.2f} on average (1 - rank-biased overlap)"
    return f"{change}, {found.changed} of them by more than half"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _code(text: str) -> str:
    """What shoppers typed, as code: it cannot act, and it stays in its cell."""
    clean = " ".join(text.split()).replace("`", "'").replace("|", "\\|")
    return f"`{clean}`"
