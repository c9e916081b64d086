"""publish: what becomes current, night after night."""

import json
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import HeldForApproval, StopEverything, TryLater
from mmsearch_core.layout import CURRENT, generation_key, plan_key, products_key
from mmsearch_core.pages.run.night import latest
from mmsearch_core.records.plan import Plan
from mmsearch_core.serving.generation import SCHEMA, Generation, read_products
from mmsearch_core.serving.results import Results
from mmsearch_core.wiring.batches import Runtime
from tasks import gates, publish
from tests.line import SEARCH, do, index, picture, with_knobs
from tests.nights import QUERIES, Interrupted, current, judged, make_older, night, products, shop


@pytest.fixture
def published() -> Runtime:
    """A shop after its first night."""
    runtime = shop()
    night(runtime, "one")
    return runtime


def with_store(runtime: Runtime, store: Any) -> Runtime:
    """Another process whose work bucket is seen through ``store``."""
    return runtime.having(work=store)


def change_plan(runtime: Runtime, batch: str, **fields: Any) -> None:
    plan = from_json(runtime.work.get(plan_key(batch)) or b"", Plan)
    runtime.work.put(plan_key(batch), to_json(replace(plan, **fields)))


def repaint(runtime: Runtime, run: str, **colors: str) -> None:
    """Replace the pictures of products, and index them."""
    for product, color in colors.items():
        runtime.catalog.put(f"pictures/{product}/1.jpg", picture(color, shade=25))
    index(runtime, run)


def test_yesterdays_cleared_run_never_replaces_todays_results() -> None:
    """Its publication waited, or somebody cleared it: either way nothing goes back in time."""
    runtime = shop(churn=1)
    yesterday = judged(runtime, "one")
    publish.work(runtime, yesterday)
    repaint(runtime, "day", p0="black", p3="red")
    night(runtime, "two")
    today, shown = current(runtime), products(runtime, "red dress")
    for task in (gates, publish):
        with pytest.raises(
            StopEverything, match=r"was planned on .* before the results that are current"
        ):
            task.work(runtime, yesterday)
    assert (current(runtime), products(runtime, "red dress")) == (today, shown)
    newest = latest(runtime.work, "search")
    assert newest
    assert (newest.batch, newest.verdict) == (yesterday, "bad")


def test_the_time_of_a_plan_is_read_off_the_name_of_a_generation_of_the_version_before() -> None:
    runtime = shop()
    old, new = judged(runtime, "one"), judged(runtime, "two", QUERIES[:-1])
    plan = from_json(runtime.work.get(plan_key(new)) or b"", Plan)
    change_plan(runtime, old, made_at=plan.made_at - timedelta(days=1))
    publish.work(runtime, new)
    make_older(runtime)
    with pytest.raises(StopEverything, match="was planned on"):
        publish.work(runtime, old)


def test_a_clock_that_was_ahead_does_not_stop_publishing_until_its_time_has_come() -> None:
    runtime = shop()
    batch = judged(runtime, "one")
    plan = from_json(runtime.work.get(plan_key(batch)) or b"", Plan)
    change_plan(runtime, batch, made_at=plan.made_at + timedelta(days=365 * 70))
    publish.work(runtime, batch)
    assert night(runtime, "two", QUERIES[:-1]).published


def test_a_night_that_only_learned_a_new_spelling_is_published(published: Runtime) -> None:
    asked = [("red dress", f"more {number}") for number in range(10)] + [("red drress", "x")]
    lines = [
        json.dumps(
            {"time": "2026-11-20T11:00:00Z", "session": session, "locale": "en", "query": query}
        )
        for query, session in asked
    ]
    published.catalog.put("queries/2026-11-21.jsonl", "\n".join(lines).encode())
    assert products(published, "red drress") is None
    assert night(published, "two").published
    assert products(published, "red drress") == products(published, "red dress")


def test_a_pinned_query_keeps_its_own_list_where_it_was_merged_into_another() -> None:
    runtime = shop()
    pinned = with_knobs(
        runtime, search={"least_likely": 0, "buckets": 16}, query_log={"pinned": ["reed dress"]}
    )
    line = (
        b'{"time": "2026-11-20T11:00:00Z", "session": "x", "locale": "en", "query": "reed dress"}'
    )
    pinned.catalog.put("queries/2026-11-21.jsonl", line)
    night(pinned, "one")
    listed = Results(pinned.work).look_up("reed dress", "en")
    assert listed
    assert listed.query == "reed dress"


def test_a_night_without_its_log_is_held_then_approved_and_published(published: Runtime) -> None:
    before = current(published)
    batch = judged(published, "two", ["red dress"])
    with pytest.raises(
        HeldForApproval, match=f"15 of 16 .*python -m tasks.publish {batch} --approve 1.* See s3://"
    ):
        publish.work(published, batch)
    assert current(published) == before
    assert publish.work(published, batch, approve=1).published
    assert products(published, "blue dress") is None
    newest = latest(published.work, "search")
    assert newest
    assert newest.verdict == "good"
    page = (published.work.get(f"runs/{batch}/report.html") or b"").decode()
    assert "15 of 16 published lists would be gone, approved by a person" in page


def test_nobody_approves_what_they_have_not_seen(published: Runtime) -> None:
    batch = judged(published, "two", ["red dress"])
    with pytest.raises(HeldForApproval, match="15 of 16"):
        publish.work(published, batch, approve=1)
    assert publish.work(published, batch, approve=1).published


def test_an_approval_does_not_cover_results_that_became_current_since_and_are_further_away(
    published: Runtime,
) -> None:
    batch = judged(published, "two", QUERIES[:8])
    assert gates.work(published, batch).why == ("8 of 16 published lists would be gone",)
    plan = from_json(published.work.get(plan_key(batch)) or b"", Plan)
    others = judged(published, "other", [f"{query} for a party" for query in QUERIES])
    change_plan(published, others, made_at=plan.made_at)
    gates.work(published, others)
    publish.work(published, others, approve=1)
    with pytest.raises(HeldForApproval, match=r"16 of 16 .*approve again"):
        publish.work(published, batch, approve=1)
    with pytest.raises(HeldForApproval, match="approve again"):  # a retry has learned nothing
        publish.work(published, batch, approve=1)
    gates.work(published, batch)
    assert publish.work(published, batch, approve=1).published


def test_an_approval_covers_another_parent_that_makes_it_no_worse(published: Runtime) -> None:
    batch = judged(published, "two", QUERIES[:8])
    assert gates.work(published, batch).ask
    plan = from_json(published.work.get(plan_key(batch)) or b"", Plan)
    others = judged(published, "other", QUERIES[:12])
    change_plan(published, others, made_at=plan.made_at)
    assert publish.work(published, others).published
    assert publish.work(published, batch, approve=1).published


def test_the_version_befores_generation_is_published_over_and_none_of_its_files_is_taken(
    published: Runtime,
) -> None:
    make_older(published)
    report = night(published, "two")
    manifest = Results(published.work).manifest
    assert (report.published, manifest.schema) == (True, SCHEMA)
    assert all(
        key.startswith(f"results/{manifest.generation}/") for key in manifest.buckets.values()
    )


def test_a_file_of_the_parent_that_was_lost_is_written_anew(published: Runtime) -> None:
    """Also where nothing else differs."""
    lost = sorted(Results(published.work).manifest.buckets.values())
    published.work.delete(lost[0])
    assert night(published, "two").published
    manifest = Results(published.work).manifest
    assert (
        sum(key.startswith(f"results/{manifest.generation}/") for key in manifest.buckets.values())
        == 1
    )
    assert all(published.work.head(key) for key in manifest.buckets.values())


@pytest.mark.parametrize("lost", [CURRENT, "the manifest"])
def test_results_whose_pointer_or_manifest_was_deleted_are_published_anew(
    published: Runtime, lost: str
) -> None:
    published.work.delete(
        CURRENT if lost == CURRENT else generation_key(Results(published.work).current.generation)
    )
    assert night(published, "two", QUERIES[:2]).published
    assert products(published, QUERIES[0])


def test_a_pointer_that_is_deleted_in_the_middle_is_no_error(published: Runtime) -> None:
    batch = judged(published, "two", QUERIES[:-1])
    store = Interrupted(published.work, lambda: published.work.delete(CURRENT))
    assert publish.work(with_store(published, store), batch).published
    assert products(published, QUERIES[-1]) is None


def test_who_loses_to_another_publisher_looks_again_at_what_is_current_now(
    published: Runtime,
) -> None:
    """Of two batches the later plan wins, whoever comes first."""
    early, late = judged(published, "two", QUERIES[:-1]), judged(published, "three", QUERIES[:-2])
    store = Interrupted(published.work, lambda: publish.work(published, late))
    with pytest.raises(StopEverything, match="was planned on"):
        publish.work(with_store(published, store), early)
    manifest = Results(published.work).manifest
    assert manifest.counts["queries"] == len(QUERIES) - 2


def test_a_later_plan_that_loses_is_held_against_the_new_parent_and_published(
    published: Runtime,
) -> None:
    early, late = judged(published, "two", QUERIES[:-1]), judged(published, "three", QUERIES[:-2])
    store = Interrupted(published.work, lambda: publish.work(published, early))
    assert publish.work(with_store(published, store), late).published
    manifest = Results(published.work).manifest
    assert manifest.counts["queries"] == len(QUERIES) - 2
    parent = from_json(published.work.get(generation_key(manifest.parent)) or b"", Generation)  # type: ignore[arg-type]
    assert parent.counts["queries"] == len(QUERIES) - 1


def test_a_try_that_died_after_the_flip_is_found_to_have_published(published: Runtime) -> None:
    batch = judged(published, "two", QUERIES[:-1])
    store = Interrupted(published.work, lambda: publish.work(published, batch))
    first = publish.work(with_store(published, store), batch)
    again = publish.work(published, batch)
    assert first.published
    assert (again.published, again.generation) == (True, first.generation)


def test_publishers_that_meet_again_and_again_end(published: Runtime) -> None:
    batch = judged(published, "two", QUERIES[:-1])
    pointer = published.work.get(CURRENT) or b""
    moves = iter(range(1_000))
    store = Interrupted(
        published.work,
        lambda: published.work.put(CURRENT, pointer + b" " * next(moves)),
        times=1_000,
    )
    next(moves)
    with pytest.raises(TryLater, match="3 times"):
        publish.work(with_store(published, store), batch)


def test_publishers_side_by_side_leave_one_whole_generation(
    published: Runtime, tmp_path: Path
) -> None:
    batches = [judged(published, f"run {number}", QUERIES[: 15 - number]) for number in range(4)]
    # the one in memory is one thread's
    published = published.having(ledger=SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}"))
    said: list[str] = []

    def attempt(batch: str) -> None:
        try:
            said.append(str(publish.work(published, batch).published))
        except (StopEverything, TryLater) as error:
            said.append(type(error).__name__)

    threads = [threading.Thread(target=attempt, args=[batch]) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "True" in said
    results = Results(published.work)
    lists = sum(len(results.bucket(number)) for number in results.manifest.buckets)
    assert lists == results.manifest.counts["queries"]


def test_a_generation_knows_its_plan_and_its_products(published: Runtime) -> None:
    manifest = Results(published.work).manifest
    assert manifest.planned_at
    assert f"{manifest.planned_at:%Y%m%dT%H%M%S}" == manifest.generation.partition("-")[0]
    assert published.work.head(products_key(manifest.generation))
    assert list(read_products(published.work, manifest)) == [["p0", "p1", "p2", "p3"]]
    make_older(published)
    older = [product for batch in read_products(published.work, manifest) for product in batch]
    assert sorted(older) == ["p0", "p1", "p2", "p3"]


def test_a_shard_that_is_not_judged_stops_publishing(published: Runtime) -> None:
    batch = judged(published, "two", QUERIES[:-1])
    published.work.delete(f"runs/{batch}/shards/00000/reports/judge.json")
    with pytest.raises(StopEverything, match="has no report of judge"):
        publish.work(published, batch)
    do(published, f"runs/{batch}/shards/00000", *SEARCH)
    assert publish.work(published, batch).published
