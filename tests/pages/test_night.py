"""Of several batches of a night the worst is shown first, and the others are named with their
state."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.cli import look
from mmsearch_core.codec import to_json
from mmsearch_core.errors import StageMissing
from mmsearch_core.layout import page_key
from mmsearch_core.pages.run.night import ClosedBatch, Verdict, latest, of_one_night
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import close, compare, plan
from tests.line import commands_see, fake_runtime, feed, index, index_batch, picture

NIGHT = datetime(2026, 3, 1, 2, tzinfo=UTC)


def closed(
    name: str, verdict: Verdict, hours: float, source: str = "compare night", took: float = 0.1
) -> ClosedBatch:
    planned = NIGHT + timedelta(hours=hours)
    return ClosedBatch(
        batch=name,
        verdict=verdict,
        headline=name,
        source=source,
        planned_at=planned,
        made_at=planned + timedelta(hours=took),
    )


def night(*batches: ClosedBatch) -> list[str]:
    """The names of those that are shown after these were closed, in order."""
    known: tuple[ClosedBatch, ...] = ()
    for batch in batches:
        known = of_one_night(known, batch)
    return [batch.batch for batch in known]


def test_the_worst_comes_first_and_of_equals_the_newest() -> None:
    batches = [
        closed("a", "good", 0),
        closed("b", "bad", 0.1),
        closed("c", "look", 0.2),
        closed("d", "good", 0.3),
    ]
    assert night(*batches) == ["b", "c", "d", "a"]


def test_an_upload_in_the_morning_does_not_hide_the_night() -> None:
    assert night(closed("a", "bad", 0), closed("event", "good", 6, "drain 1")) == ["a", "event"]


def test_a_batch_that_was_done_again_is_as_it_ended_last() -> None:
    assert night(closed("a", "bad", 0), closed("b", "good", 0.1), closed("a", "good", 3)) == [
        "a",
        "b",
    ]


def test_a_later_comparison_stands_for_all_before_it() -> None:
    """What they left undone is in its batches; one of them that is closed late says nothing any
    more."""
    before = [closed("a", "bad", 0), closed("event", "bad", 6, "drain 1")]
    assert night(*before, closed("b", "good", 8, "compare again")) == ["b"]
    late = closed("c", "bad", 0, took=9)
    assert night(*before, closed("b", "good", 8, "compare again"), late) == ["b"]
    assert night(
        *before, closed("b", "look", 8, "compare again"), closed("e", "good", 9, "drain 2")
    ) == ["b", "e"]


def test_a_day_later_a_night_is_over() -> None:
    assert night(closed("a", "bad", 0), closed("event", "good", 25, "drain 1")) == ["event"]


@pytest.fixture
def shop() -> tuple[Runtime, str, str]:
    """A night of two batches, of which the first was planned and no more."""
    runtime = fake_runtime(shards={"size": 1, "most": 1})
    feed(runtime, {"p1": "One", "p2": "Two"})
    for product in ("p1", "p2"):
        runtime.catalog.put(f"pictures/{product}/a.jpg", picture("red"))
    first, second = compare.work(runtime, "n1").batches
    plan.work(runtime, first)
    return runtime, first, second


def page(runtime: Runtime, batch: str) -> str:
    return (runtime.work.get(page_key(batch)) or b"").decode()


def fail(runtime: Runtime, batch: str) -> None:
    with pytest.raises(StageMissing):
        close.work(runtime, batch)


@pytest.mark.parametrize("failed_first", [True, False])
def test_a_failed_batch_is_not_hidden_by_a_good_one(shop: Any, failed_first: bool) -> None:
    """Whichever was closed last; and each page that people are sent to names the other."""
    runtime, first, second = shop
    steps: list[Callable[[], object]] = [
        lambda: fail(runtime, first),
        lambda: index_batch(runtime, second),
    ]
    for step in steps if failed_first else reversed(steps):
        step()
    shown = latest(runtime.work, "index")
    assert shown is not None
    assert (shown.batch, shown.verdict) == (first, "bad")
    assert [(it.batch, it.verdict) for it in shown.batches] == [(first, "bad"), (second, "good")]
    assert f'<a href="../{second}/report.html">Good: 1 asset indexed.</a>' in page(runtime, first)
    assert page(runtime, first).count("The other batches of this night") == 1
    index_batch(runtime, first)
    shown = latest(runtime.work, "index")
    assert shown is not None
    assert {it.verdict for it in shown.batches} == {"good"}
    assert f"../{second}/report.html" in page(runtime, first)


def test_the_commands_show_the_worst_and_name_all(
    shop: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime, first, second = shop
    fail(runtime, first)
    index_batch(runtime, second)
    commands_see(runtime, monkeypatch)
    capsys.readouterr()
    look.page(to=tmp_path / "page.html", line="index", batch="")
    told = capsys.readouterr().out.splitlines()
    assert told[1] == "It is of the worst of 2 batches:"
    assert told[2].startswith(
        f"  {first} bad: Not done: runs/{first}/shards/00000 has no report of decode"
    )
    assert told[3] == f"  {second} good: Good: 1 asset indexed."
    assert (tmp_path / "page.html").read_text() == page(runtime, first)
    look.status(as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["pages"]["index"]["verdict"] == "bad"
    assert [it["batch"] for it in shown["pages"]["index"]["batches"]] == [first, second]
    assert [it["open_batches"] for it in shown["index"]["targets"]] == [1]


def test_two_batches_that_are_closed_at_once_are_both_named(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reads what stands there and writes what it makes of it; one of them is refused, and
    looks again."""
    runtime, first, second = shop
    put: Any = runtime.work.put
    others = [lambda: fail(runtime, first)]

    def late(key: str, data: bytes, **condition: Any) -> Any:
        if key == "runs/latest.index.json" and others:
            others.pop()()
        return put(key, data, **condition)

    monkeypatch.setattr(runtime.work, "put", late)
    index_batch(runtime, second)
    shown = latest(runtime.work, "index")
    assert shown is not None
    assert [it.batch for it in shown.batches] == [first, second]


def test_what_an_earlier_version_or_half_a_write_left_is_no_error(shop: Any) -> None:
    runtime, first, second = shop
    old = {
        "line": "index",
        "batch": "x",
        "page": page_key("x"),
        "verdict": "good",
        "headline": "x",
        "made_at": NIGHT,
    }
    runtime.work.put("runs/latest.index.json", to_json(old))
    before = latest(runtime.work, "index")
    assert before is not None
    assert (before.newest, before.batches) == ("x", ())
    index_batch(runtime, second)
    runtime.work.put("runs/latest.index.json", b'{"line": ')
    assert latest(runtime.work, "index") is None
    fail(runtime, first)
    shown = latest(runtime.work, "index")
    assert shown is not None
    assert shown.batch == first


def test_a_page_without_room_for_the_night_stays_as_it_is(shop: Any) -> None:
    """One that an earlier version wrote."""
    runtime, first, second = shop
    fail(runtime, first)
    runtime.work.put(page_key(first), b"<html>old</html>")
    index_batch(runtime, second)
    assert page(runtime, first) == "<html>old</html>"
    assert isinstance(runtime.work, MemoryStore)


def test_the_page_says_that_a_known_good_item_was_done_well() -> None:
    runtime = fake_runtime()
    feed(runtime, {"p1": "One"})
    for number in range(12):
        runtime.catalog.put(f"pictures/p1/manual{number}.pdf", b"%PDF-1.4")
    (report,) = index(runtime)
    assert (
        "a known good item was done well there (1 shard): the failures are of these records."
        in page(runtime, report.batch)
    )
