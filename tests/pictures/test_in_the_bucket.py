"""The suite in a real bucket: every file becomes a segment or a failure with a reason, whatever its key."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.records.asset import Asset, Change
from mmsearch_core.records.segment import Segment
from mmsearch_core.settings import Settings
from mmsearch_core.shards import Shard
from mmsearch_core.stages.decode import pixels_key
from mmsearch_core.wiring import Runtime
from tasks import compare, plan
from tests.conftest import Servers
from tests.line import do, feed, picture
from tests.pictures.suite import Case, every_case

pytestmark = pytest.mark.integration

KEYS = (  # SeaweedFS, being a file system, takes \\ and // for /: keys with these are left to other stores
    "with space.jpg",
    " leading.jpg",
    "two  spaces .jpg",
    "红色连衣裙.jpg",
    "裙子/正面/一.jpg",
    "percent%2Fslash.jpg",
    "%41%zz.jpg",
    "plus+plus.jpg",
    "hash#mark.jpg",
    "query?mark=1&more.jpg",
    "quote'\"quote.jpg",
    "semi;colon,comma.jpg",
    "colon:at@bang!.jpg",
    "star*(brackets)[x]{y}.jpg",
    "tilde~dollar$.jpg",
    "trailing-dot.",
    ".hidden",
    "no-ending",
    "UPPER.JPEG",
    "caf\u00e9.jpg",  # NFC
    "cafe\u0301.jpg",  # NFD: another key
    "emoji👗.jpg",
    "<script>alert(1)</script>.jpg",
    "a" * 200 + ".jpg",
)


@pytest.fixture(scope="module")
def runtime(servers: Servers) -> Runtime:
    """Buckets of their own, in which every file may fail."""
    knobs = servers.settings.model_dump()
    knobs["catalog"]["bucket"] = knobs["query_log"]["bucket"] = "odd-catalog"
    knobs["work"]["bucket"] = "odd-work"
    knobs["ledger"]["url"] = f"sqlite:///{servers.state}/odd.db"
    knobs["shards"] |= {"size": 1000, "failed_share": 1.0}
    runtime = Runtime(Settings.model_validate(knobs))
    for store in (runtime.catalog, runtime.work):
        assert isinstance(store, S3Store)
        store.create()
    return runtime


@pytest.fixture(scope="module")
def cases() -> Mapping[str, Case]:
    """By key: the suite, and good pictures under odd names."""
    found = {f"pictures/p1/{case.name}": case for case in every_case()}
    good = Case(name="", data=picture("red"), size=(40, 40))
    return found | {f"pictures/p1/{name}": replace(good, name=name) for name in KEYS}


@pytest.fixture(scope="module")
def shard(runtime: Runtime, cases: Mapping[str, Case]) -> Shard:
    """All of it decoded, in one shard."""
    feed(runtime, {"p1": "Lumen 1", "p-without-pictures": "Lumen 2"})
    for key, case in cases.items():
        runtime.catalog.put(key, case.data)
    runtime.catalog.put("pictures/unknown-product/1.jpg", picture("blue"))
    runtime.catalog.put("pictures/of-no-product.jpg", picture("blue"))
    (batch,) = compare.work(runtime, "odd")["batches"]
    report = plan.work(runtime, batch)
    assert report["counts"] == {"added": len(cases), "waiting_for_product": 2}
    (path,) = report["shards"]
    do(runtime, path, "decode")
    return Shard(runtime.work, path)


def test_every_key_arrives_and_none_is_lost(shard: Shard, cases: Mapping[str, Case]) -> None:
    report = shard.report("decode")
    assert report is not None
    assert (report.read, report.done + report.failed) == (len(cases), len(cases))
    assert {change.source.key for change in shard.read("changes", Change)} == set(cases)


def test_every_file_is_a_segment_or_a_failure_as_people_expect(
    runtime: Runtime, shard: Shard, cases: Mapping[str, Case]
) -> None:
    keys = {change.asset_id: change.source.key for change in shard.read("changes", Change) if isinstance(change, Asset)}
    opened = {keys[segment.asset_id]: segment for segment in shard.read("segments", Segment)}
    failed = {keys[failure.record_id]: failure for failure in shard.failures("decode")}  # type: ignore[index]
    assert opened.keys() | failed.keys() == set(cases)
    assert not opened.keys() & failed.keys()
    wrong = [key for key, case in cases.items() if not case.either and (key in failed) != bool(case.fails)]
    assert wrong == []
    assert [key for key, failure in failed.items() if failure.kind not in cases[key].fails] == []
    assert all(len(failure.message) > 20 for failure in failed.values())
    assert all(runtime.work.head(pixels_key(segment.pixels)) for segment in list(opened.values())[::20])
