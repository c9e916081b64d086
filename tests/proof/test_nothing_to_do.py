"""A night in which nothing changed writes nothing but what says so."""

from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.wiring.batches import Runtime
from tests.conftest import Servers
from tests.line import ask, index, picture, search
from tests.proof.oracle import BROKEN
from tests.proof.real import fresh, process, settings_for
from tests.proof.shop import Shop

pytestmark = pytest.mark.integration


def objects(store: ObjectStore) -> dict[str, tuple[str, float]]:
    return {found.key: (found.etag, found.last_modified.timestamp()) for found in store.list()}


class Counted:
    """An index whose writes are counted."""

    def __init__(self, index: object) -> None:
        self._index = index
        self.writes: list[str] = []

    def __getattr__(self, name: str) -> object:
        if name in ("create", "upsert", "retire", "switch", "drop"):
            self.writes.append(name)
        return getattr(self._index, name)


def test_no_model_call_no_write_to_the_index_and_no_object_but_the_report(
    servers: Servers, tmp_path: Path
) -> None:
    """With everything in it that could keep a catalog restless: a broken picture, one that waits,
    one withdrawn."""
    settings = settings_for(servers.settings, tmp_path, "nothing", search={"buckets": 4})
    runtime = fresh(settings)
    shop = Shop(runtime)
    for number, color in enumerate(("red", "blue", "black")):
        shop.put(f"pictures/p{number + 1}/a.jpg", picture(color))
    shop.put("pictures/p1/broken.jpg", BROKEN[0])
    shop.put("pictures/p9/waits.jpg", picture("green"))
    ask(runtime, ("red dress", "en"), ("蓝色连衣裙", "zh"))
    shop.settle()
    shop.drop_product("p3")
    shop.settle()
    generation = search(runtime, "day").generation
    before, rows = objects(runtime.work), set(runtime.index.builds(runtime.target().collection))

    night = process(settings)
    counted: Any = Counted(night.index)
    night = night.having(index=counted)
    assert index(night, "night") == []
    assert calls(night) == 0
    assert objects(night.work) == before
    report = search(night, "night")
    assert (report.generation, report.published, report.model_calls.made) == (
        generation,
        False,
        0,
    )
    after, latest = objects(night.work), "runs/latest.search.json"
    assert after.pop(latest) != before.pop(latest), "it names the report of the night"
    new = {key for key, state in after.items() if before.get(key) != state}
    assert {key.split("/")[0] for key in new} == {"runs"}, (
        "the night's own folder: its plan, shards and report"
    )
    assert {key.split("/")[1] for key in new} == {report.batch}
    assert before.items() <= after.items()
    assert counted.writes == []
    assert set(runtime.index.builds(runtime.target().collection)) == rows


def calls(runtime: Runtime) -> int:
    """Of all models; queries are embedded anew each night, so ask before the search line."""
    models: tuple[Any, ...] = (runtime.vlm, runtime.clip, runtime.sbert)
    return sum(model.calls for model in models)
