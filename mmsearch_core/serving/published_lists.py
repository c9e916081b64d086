"""The lists in one bucket file of a generation, as records. Files of earlier schemas are read as if
they were written today."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmsearch_core.codec import from_json_value
from mmsearch_core.records.ids import ProductId, QueryKey
from mmsearch_core.records.ranking import Evidence, Verdict

NO_LISTS = "This is no bucket file of published lists."


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedHit:
    """A product in a list, and why it is there.

    ``relevance`` (0 to 1) and ``verdict`` are the judge's, None where nobody vouches for the
    product. ``fused`` is the score of rank fusion, None for a judged hit of schema 1, which kept
    one score only.
    """

    product_id: ProductId
    relevance: float | None
    fused: float | None
    verdict: Verdict | None
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedList:
    """The finished answer to one query; ``hits`` are in the order in which they are shown."""

    query: str
    locale: str
    hits: tuple[PublishedHit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProducts:
    """The products of one list, best first, without what is said of them."""

    query: str
    locale: str
    products: tuple[ProductId, ...]


class PublishedLists:
    """The lists of one bucket file, by query key. A list becomes a record when it is asked for,
    since a reader of one query needs none of the others."""

    def __init__(self, data: bytes) -> None:
        """Open a bucket file.

        :param data: its bytes. ValueError if they are no JSON object.
        """
        try:
            entries = json.loads(data)
        except ValueError as error:
            raise ValueError(NO_LISTS) from error
        if not isinstance(entries, dict):
            raise ValueError(NO_LISTS)
        self._entries: dict[QueryKey, Any] = entries

    def __len__(self) -> int:
        """Number of keys: each list stands under its query's key and under those of its aliases."""
        return len(self._entries)

    def find(self, key: QueryKey) -> PublishedList | None:
        """The list under a key, None where there is none; ValueError if it is no list."""
        entry = self._entries.get(key)
        return None if entry is None else from_json_value(_of_today(entry), PublishedList)

    def products(self) -> dict[QueryKey, ListedProducts]:
        """The products of every list, by query key; ValueError if one of them is no list."""
        try:
            return {key: _products(entry) for key, entry in self._entries.items()}
        except (KeyError, TypeError) as error:
            raise ValueError("This is no list as this mmsearch knows it.") from error


def _products(entry: Mapping[str, Any]) -> ListedProducts:
    """Of a list as it stands in the file, in any schema. A night reads all that are published, so
    this does without the codec."""
    return ListedProducts(
        query=entry["query"],
        locale=entry["locale"],
        products=tuple(hit["product_id"] for hit in entry["hits"]),
    )


def _of_today(entry: Any) -> Any:
    """A list of any schema as the newest schema writes it; what is no list stays as it is."""
    try:
        return {**entry, "hits": [_hit_of_today(hit) for hit in entry["hits"]]}
    except (KeyError, TypeError):
        return entry


def _hit_of_today(hit: Mapping[str, Any]) -> dict[str, Any]:
    """Before schema 3, evidence named its object ``picture``. In schema 1 a hit had one score: the
    relevance where it was judged, else that of fusion."""
    evidence = dict(hit["evidence"])
    if "picture" in evidence:
        evidence["key"] = evidence.pop("picture")
    today = {**hit, "evidence": evidence}
    if "score" in today:
        score = today.pop("score")
        judged = today["verdict"] is not None
        today["relevance"] = score if judged else None
        today["fused"] = None if judged else score
    return today
