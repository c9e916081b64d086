"""judge: what was judged is remembered in few writes, and is not asked again."""

from collections import Counter
from typing import Any

import pytest

from mmsearch_core.stages import judge
from mmsearch_core.wiring import Runtime
from tests.line import ask, fake_runtime, feed, index, picture, search

QUERIES, PICTURES = 4, 8


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> tuple[Runtime, Counter[str]]:
    """More pairs than a batch has room for, and a count of the writes to each query's object of the memo."""
    runtime = fake_runtime(search={"min_hits": 0, "buckets": 16}, models={"batch": 4})
    feed(runtime, {f"p{number}": f"Lumen {number}" for number in range(PICTURES)})
    for number in range(PICTURES):
        runtime.catalog.put(f"pictures/p{number}/1.jpg", picture("red", shade=number))
    ask(runtime, *((f"red dress {number}", "en") for number in range(QUERIES)))
    index(runtime)
    writes: Counter[str] = Counter()
    add = runtime.memo.add_judgements

    def counted(recipe: Any, query: str, judgements: Any) -> None:
        writes[query] += 1
        add(recipe, query, judgements)

    monkeypatch.setattr(runtime.memo, "add_judgements", counted)
    return runtime, writes


def test_a_querys_object_is_written_once_however_many_batches_its_pairs_are_spread_over(shop: Any) -> None:
    runtime, writes = shop
    search(runtime)
    assert len(writes) == QUERIES
    assert set(writes.values()) == {1}
    asked = runtime.vlm.calls
    ask(runtime, ("red dress 0", "en"), ("red dress 1", "en"))
    search(runtime, "run-2")
    assert runtime.vlm.calls == asked
    assert set(writes.values()) == {1}


def test_of_many_pairs_some_are_remembered_on_the_way(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, writes = shop
    monkeypatch.setattr(judge, "FOLD", QUERIES * PICTURES // 2)
    search(runtime)
    assert set(writes.values()) == {2}
