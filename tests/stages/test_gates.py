"""gates: how tonight's lists are held against those that are published, and when a person is
asked."""

from dataclasses import replace
from typing import Any

import pytest

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import StopEverything
from mmsearch_core.layout import gates_key, plan_key
from mmsearch_core.pages.run.page import read_facts
from mmsearch_core.records.ids import ProductId, QueryKey
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.query import query_key
from mmsearch_core.records.report import Check, Gate
from mmsearch_core.serving.published_lists import ListedProducts
from mmsearch_core.serving.results import Results
from mmsearch_core.settings import Search
from mmsearch_core.stages.search.gate_measures import (
    Differ,
    Differences,
    gates,
    rank_biased_overlap,
    table,
    worse,
)
from mmsearch_core.stages.search.gates import read_verdict
from mmsearch_core.wiring.batches import Runtime
from tasks import gates as task
from tasks import publish
from tests.line import with_knobs
from tests.nights import QUERIES, current, judged, make_older, night, shop

Bucket = dict[QueryKey, ListedProducts]


def listed(query: str, products: str) -> ListedProducts:
    return ListedProducts(
        query=query, locale="en", products=tuple(ProductId(product) for product in products)
    )


def bucket(**lists: str) -> Bucket:
    return {query_key(query, "en"): listed(query, products) for query, products in lists.items()}


def differences(before: Bucket, tonight: Bucket) -> Differences:
    differ = Differ()
    differ.add(before, tonight)
    return differ.result(len(before))


def asking(
    found: Differences | None, *, asked: int = 100, answered: int = 100, **limits: Any
) -> set[str]:
    """The gates that ask."""
    made = gates(
        asked=asked,
        answered=answered,
        incomplete=False,
        differences=found,
        settings=Search(**limits),
    )
    return {gate.name for gate in made if gate.asks}


def test_equal_rankings_overlap_fully_and_disjoint_ones_not_at_all() -> None:
    assert rank_biased_overlap("abc", "abc") == rank_biased_overlap("", "") == 1
    assert rank_biased_overlap("abc", "xyz") == rank_biased_overlap("abc", "") == 0


def test_rank_biased_overlap_as_worked_out_by_hand() -> None:
    """Agreements at depths 1 to 3 are 1, 1/2 and 1; the places weigh 1, 0.9 and 0.81."""
    assert rank_biased_overlap("abc", "acb") == pytest.approx((1 + 0.9 / 2 + 0.81) / 2.71)
    assert rank_biased_overlap("abc", "acb") == rank_biased_overlap("acb", "abc")


def test_the_top_counts_most_and_a_list_that_lost_its_lower_part_has_changed() -> None:
    top, bottom = (
        rank_biased_overlap("abcdefgh", "xbcdefgh"),
        rank_biased_overlap("abcdefgh", "abcdefgx"),
    )
    assert top < bottom < 1
    assert rank_biased_overlap("abcdefghijkl", "a") < 0.5


def test_lists_are_gone_emptied_or_changed_and_aliases_are_not_counted() -> None:
    before = bucket(gone="AB", emptied="ABC", changed="ABCD", same="AB", never="", alias="AB")
    before[query_key("a misspelling", "en")] = listed("same", "AB")
    tonight = bucket(emptied="", changed="WXYZ", same="AB", never="A", new="A")
    # its own list has become that of another query
    tonight[query_key("alias", "en")] = listed("same", "AB")
    differ = Differ()
    differ.add(before, tonight)
    found = differ.result(6)
    assert (found.before, found.gone, found.filled, found.emptied, found.changed) == (6, 1, 4, 1, 1)
    assert found.churn == pytest.approx(1 / 3)
    assert {(worst.query, worst.what) for worst in found.worst} == {
        ("gone", "gone"),
        ("emptied", "emptied"),
        ("changed", "changed"),
    }


def test_the_worst_queries_are_few_and_the_worst() -> None:
    before = {**bucket(**{f"q{number:02}": "ABCDEFGHIJKL"[:number] for number in range(1, 12)})}
    found = differences(before, {})
    assert [worst.query for worst in found.worst] == ["q11", "q10", "q09", "q08", "q07"]


def test_a_handful_of_lists_may_change_whatever_their_share() -> None:
    few = differences(bucket(a="AB", b="CD"), bucket(a="XY"))
    assert asking(few) == set()
    assert asking(few, changes_at_least=0) == {"gone", "churn"}


def test_each_limit_asks_beyond_it_and_not_at_it() -> None:
    hundred = {f"q{number}": "AB" for number in range(100)}
    kept = dict(list(hundred.items())[30:])
    assert asking(differences(bucket(**hundred), bucket(**kept))) == set()
    assert asking(differences(bucket(**hundred), bucket(**dict(list(kept.items())[1:])))) == {
        "gone"
    }
    emptied = {**hundred, **{f"q{number}": "" for number in range(6)}}
    assert asking(differences(bucket(**hundred), bucket(**emptied))) == {"emptied"}
    changed = {**hundred, **{f"q{number}": "XY" for number in range(31)}}
    assert asking(differences(bucket(**hundred), bucket(**changed))) == {"churn"}


def test_tonights_own_numbers_count_before_anything_is_published() -> None:
    assert asking(None, asked=10, answered=5) == set()
    assert asking(None, asked=10, answered=4) == {"coverage"}


def test_what_is_worse_than_what_was_approved_is_named() -> None:
    seen = [
        Gate(name="gone", value=0.5, limit=0.3, asks=True, says=""),
        Gate(name="churn", value=0.1, limit=0.3, asks=False, says=""),
    ]
    assert worse(seen, seen) == []
    assert worse([replace(seen[0], value=0.4)], seen) == []
    assert [gate.name for gate in worse([replace(seen[0], value=0.6), seen[1]], seen)] == ["gone"]
    assert [gate.name for gate in worse([replace(seen[1], value=0.4, asks=True)], seen)] == [
        "churn"
    ]
    assert worse([replace(seen[1], value=0.2)], seen) == []  # within its limit


def test_what_shoppers_typed_cannot_act_in_the_table() -> None:
    (worst,) = differences(bucket(**{"a|b `x` [link](http://evil)\nnew": "A"}), {}).worst
    *_, last = table([], [worst]).splitlines()
    assert last.startswith("| `a\\|b 'x' [link](http://evil) new` |")


@pytest.fixture
def published() -> Runtime:
    runtime = shop()
    night(runtime, "one")
    return runtime


def test_the_first_publication_asks_nobody_but_for_the_share_of_queries_with_results() -> None:
    runtime = shop(least_likely=0.2)
    report = task.work(runtime, judged(runtime, "one"))
    assert (report.ask, report.why) == (False, ())
    report = task.work(
        runtime, judged(runtime, "two", ["unanswerable one", "unanswerable two", "red dress"])
    )
    assert report.ask
    assert report.why == ("Only 1 of 3 popular queries have results",)


def test_without_any_popular_query_there_is_nothing_to_approve() -> None:
    runtime = shop()
    runtime.catalog.delete("queries/2026-11-20.jsonl")
    with pytest.raises(StopEverything, match=r"no popular query.* See s3://"):
        task.work(runtime, judged(runtime, "one"))


def test_a_lost_log_asks_and_names_the_numbers_and_the_queries(published: Runtime) -> None:
    batch = judged(published, "two", ["red dress"])
    report = task.work(published, batch)
    assert report.ask
    assert report.why == ("15 of 16 published lists would be gone",)
    assert "| gone | 15 of 16 published lists would be gone | **yes** |" in report.table
    assert "dress` | `en` | gone |" in report.table
    assert len(to_json(report)) < 4_000  # it becomes an XCom
    verdict = read_verdict(published.work, batch)
    assert verdict
    assert (verdict.against, verdict.reasons) == (current(published), report.why)
    facts = read_facts(published.work, batch)
    assert facts
    assert facts.headline.startswith("Not done: 15 of 16 published lists would be gone")
    assert Check(name="Gate: gone", held=False, found=report.why[0]) in facts.checks
    page = (published.work.get(f"runs/{batch}/report.html") or b"").decode()
    assert "Lists that changed most" in page


def test_a_verdict_of_another_version_is_refused_in_one_sentence(published: Runtime) -> None:
    """Nobody knows then what a person had in front of them."""
    batch = judged(published, "two", ["red dress"])
    published.work.put(gates_key(batch), b'{"ask": true}')
    with pytest.raises(StopEverything, match=f"another version.*tasks.gates {batch}"):
        publish.work(published, batch, approve=1)
    assert task.work(published, batch).ask
    assert publish.work(published, batch, approve=1).published


def test_an_index_that_was_not_complete_asks(published: Runtime) -> None:
    batch = judged(published, "two", [*QUERIES[1:], "green or red dress"])
    plan = from_json(published.work.get(plan_key(batch)) or b"", Plan)
    for incomplete in (
        replace(plan, incomplete=True),
        replace(plan, counts={**plan.counts, "index_incomplete": 1}),
    ):
        published.work.put(plan_key(batch), to_json(incomplete))
        assert task.work(published, batch).why == ("the index was not complete",)
    publish.work(published, batch, approve=1)
    assert Results(published.work).manifest.incomplete


def test_what_is_current_already_asks_nobody(published: Runtime) -> None:
    """Another night with the same lists publishes nothing, so nothing has to be approved."""
    batch = judged(published, "two")
    plan = from_json(published.work.get(plan_key(batch)) or b"", Plan)
    published.work.put(plan_key(batch), to_json(replace(plan, incomplete=True)))
    assert not task.work(published, batch).ask


def test_lists_are_compared_whatever_the_number_of_buckets(published: Runtime) -> None:
    with_more = with_knobs(published, search={"least_likely": 0, "buckets": 64})
    assert task.work(with_more, judged(with_more, "two", ["red dress"])).why == (
        "15 of 16 published lists would be gone",
    )
    assert night(with_more, "three", QUERIES).published
    assert len(Results(published.work).manifest.buckets) == 64


def test_lists_of_the_version_before_are_compared(published: Runtime) -> None:
    make_older(published)
    assert task.work(published, judged(published, "two", ["red dress"])).ask
    batch = judged(published, "three", QUERIES)
    assert not task.work(published, batch).ask


def test_lists_in_a_file_that_was_lost_count_as_gone(published: Runtime) -> None:
    manifest = Results(published.work).manifest
    for key in manifest.buckets.values():
        published.work.delete(key)
    batch = judged(published, "two", ["red dress"])
    assert task.work(published, batch).why == ("16 of 16 published lists would be gone",)
