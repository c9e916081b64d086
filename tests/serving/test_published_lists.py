"""Lists of a bucket file as records, of whatever schema; what is no list is refused."""

import json
from typing import Any

import pytest

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.records.ids import AssetId, ProductId
from mmsearch_core.records.query import query_key
from mmsearch_core.records.ranking import Evidence
from mmsearch_core.records.segment import Page
from mmsearch_core.serving.published_lists import (
    ListedProducts,
    PublishedHit,
    PublishedList,
    PublishedLists,
)

KEY = query_key("red dress", "en")
EVIDENCE = {"asset_id": "a", "where": "page:2", "text": "a dress", "reason": "it is red"}
SCORES = {"relevance": 0.9, "fused": 0.02}
HIT = {"product_id": "p1", "verdict": "相关"}


def bucket(hit: dict[str, Any]) -> PublishedLists:
    """A bucket file with one list of this one hit."""
    entry = {"query": "red dress", "locale": "en", "hits": [hit]}
    return PublishedLists(json.dumps({KEY: entry}).encode())


def the_list(*, fused: float | None) -> PublishedList:
    """The record of that list."""
    evidence = Evidence(
        asset_id=AssetId("a"), key="1.pdf", where=Page(number=2), text="a dress", reason="it is red"
    )
    hit = PublishedHit(
        product_id=ProductId("p1"), relevance=0.9, fused=fused, verdict="相关", evidence=evidence
    )
    return PublishedList(query="red dress", locale="en", hits=(hit,))


def test_a_list_of_each_schema_is_read() -> None:
    of_today = {**HIT, **SCORES, "evidence": {**EVIDENCE, "key": "1.pdf"}}
    of_schema_2 = {**HIT, **SCORES, "evidence": {**EVIDENCE, "picture": "1.pdf"}}
    of_schema_1 = {**HIT, "score": 0.9, "evidence": {**EVIDENCE, "picture": "1.pdf"}}
    assert bucket(of_today).find(KEY) == the_list(fused=0.02)
    assert bucket(of_schema_2).find(KEY) == the_list(fused=0.02)
    assert bucket(of_schema_1).find(KEY) == the_list(fused=None)


def test_a_list_is_read_as_it_was_written() -> None:
    assert from_json(to_json(the_list(fused=0.02)), PublishedList) == the_list(fused=0.02)


def test_products_are_named_without_the_rest_of_a_hit() -> None:
    listed = ListedProducts(query="red dress", locale="en", products=(ProductId("p1"),))
    assert bucket(HIT).products() == {KEY: listed}
    assert from_json(to_json(listed), ListedProducts) == listed


def test_a_query_without_a_list_has_none() -> None:
    lists = PublishedLists(b"{}")
    assert (len(lists), lists.find(KEY), lists.products()) == (0, None, {})


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"7"])
def test_what_is_no_bucket_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no bucket file"):
        PublishedLists(data)


@pytest.mark.parametrize("entry", [7, [], {}, {"query": "a", "locale": "en", "hits": [7]}])
def test_what_is_no_list_is_refused(entry: object) -> None:
    lists = PublishedLists(json.dumps({KEY: entry}).encode())
    with pytest.raises(ValueError, match="This is no"):
        lists.find(KEY)
    with pytest.raises(ValueError, match="This is no"):
        lists.products()
