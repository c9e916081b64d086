"""The candidates of queries: products worth judging, from legs that look as deep as they must."""

from collections.abc import Sequence
from dataclasses import dataclass

from more_itertools import chunked, flatten

from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.query import StandardQuery
from mmsearch_core.records.ranking import Candidate, Match
from mmsearch_core.records.target import Target
from mmsearch_core.search.fusion import sellable
from mmsearch_core.search.legs import Found, Leg
from mmsearch_core.settings import Search

ROWS_PER_CALL = 12_800  # rows that one call to the index may answer with: their text travels along


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What was retrieved for one query: the rows that each leg found, and the products that can be
    shown."""

    found: Found
    candidates: Sequence[Candidate]


def retrieve(
    queries: Sequence[StandardQuery],
    legs: Sequence[Leg],
    stores: Stores,
    target: Target,
    settings: Search,
) -> list[Retrieved]:
    """Each query's candidates: products that the feed has in stock and whose rows are live.

    Every leg is asked for ``per_leg`` rows of all queries at once. Where too few of them can be
    shown (sold out, rows of builds that are not live, many rows of one product) and there are more,
    the legs of that query are asked for twice as many rows, and so on up to ``deepest``.
    """
    found: list[dict[str, list[Match]]] = [{} for _ in queries]
    candidates: list[list[Candidate]] = [[] for _ in queries]
    rows = settings.per_leg
    asked = {leg.name: list(range(len(queries))) for leg in legs}
    while any(asked.values()):
        for leg in legs:
            _look(leg, asked[leg.name], rows, found)
        touched = sorted(set(flatten(asked.values())))
        touched_queries = [queries[place] for place in touched]
        found_of_each = [found[place] for place in touched]
        sold = sellable(touched_queries, found_of_each, stores, target, settings)
        for place, products in zip(touched, sold, strict=True):
            candidates[place] = products
        short = [place for place in touched if len(candidates[place]) < settings.candidates]
        deeper = min(2 * rows, settings.deepest)
        asked = {}
        if deeper > rows:
            for leg in legs:
                asked[leg.name] = [n for n in short if len(found[n][leg.name]) >= rows]
        rows = deeper
    return [
        Retrieved(found=rows_of, candidates=own)
        for rows_of, own in zip(found, candidates, strict=True)
    ]


def _look(
    leg: Leg, places: Sequence[int], rows: int, found: Sequence[dict[str, list[Match]]]
) -> None:
    """Put what the leg finds for the queries at these places into ``found``."""
    able = [place for place in places if leg.looked_for[place] is not None]
    for place in places:
        found[place][leg.name] = []
    for piece in chunked(able, max(1, ROWS_PER_CALL // rows)):
        answers = leg.search([leg.looked_for[place] for place in piece], rows)
        for place, matches in zip(piece, answers, strict=True):
            found[place][leg.name] = matches
