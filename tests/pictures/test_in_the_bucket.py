"""The suite in a real bucket: every file becomes a segment or a failure with a reason, whatever its
key."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mmsearch_core.adapters.isolated_decoder import IsolatedDecoder
from mmsearch_core.adapters.pillow_picture import MODULES
from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.layout import pixels_key
from mmsearch_core.records.asset import Asset, Change, asset_id
from mmsearch_core.records.ids import AssetId
from mmsearch_core.records.report import CloseReport
from mmsearch_core.records.segment import Decoded, Segment, Whole
from mmsearch_core.settings import Settings
from mmsearch_core.shards.shard import Shard
from mmsearch_core.testing.fake_models import FakeEmbedder, FakeVisionLanguageModel
from mmsearch_core.testing.memory_index import MemoryIndex
from mmsearch_core.testing.memory_memo import MemoryMemo
from mmsearch_core.wiring.batches import Runtime
from tests.conftest import Servers
from tests.line import feed, index, picture
from tests.pictures import mischief
from tests.pictures.case import Case
from tests.pictures.suite import every_case
from tests.pictures.test_suite import complaint

pytestmark = pytest.mark.integration

# SeaweedFS, being a file system, takes \\ and // for /: keys with these are left to other stores
KEYS = (
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
    "very/" * 190 + "long.jpg",
    "new\nline.jpg",
    "tab\there.jpg",
    "\u202eright-to-left.jpg",
    "dots/.../x.jpg",
)


@pytest.fixture(scope="module")
def runtime(servers: Servers) -> Runtime:
    """Buckets of their own, in which every file may fail."""
    knobs = servers.settings.model_dump()
    knobs["catalog"]["bucket"] = knobs["query_log"]["bucket"] = "odd-catalog"
    knobs["work"]["bucket"] = "odd-work"
    knobs["ledger"]["url"] = f"sqlite:///{servers.state}/odd.db"
    knobs["shards"] |= {"size": 1000, "failed_share": 1.0}
    knobs["decode"] |= {"seconds": 8, "memory_mb": 1024, "processes": 2}
    settings = Settings.model_validate(knobs)
    runtime = Runtime(
        settings,
        decoder=IsolatedDecoder(settings.decode, {"picture": mischief.opener}, modules=MODULES),
        vlm=FakeVisionLanguageModel(),
        clip=FakeEmbedder("clip"),
        sbert=FakeEmbedder("sbert"),
        index=MemoryIndex(),
        memo=MemoryMemo(),
    )
    for store in (runtime.catalog, runtime.work):
        assert isinstance(store, S3Store)
        store.create()
    return runtime


@pytest.fixture(scope="module")
def cases() -> Mapping[str, Case]:
    """By key: the suite, and good pictures under odd names."""
    found = {f"pictures/p1/{case.name}": case for case in every_case()}
    for number, (data, kind) in enumerate(mischief.ENDS.items()):
        found[f"pictures/p1/mischief/{number}.jpg"] = Case(
            name="mischief", data=data, fails=frozenset({kind})
        )
    good = Case(name="", data=picture("red"), size=(40, 40))
    return found | {f"pictures/p1/{name}": replace(good, name=name) for name in KEYS}


@pytest.fixture(scope="module")
def report(runtime: Runtime, cases: Mapping[str, Case]) -> CloseReport:
    """All of it indexed, in one shard."""
    feed(runtime, {"p1": "Lumen 1", "p-without-pictures": "Lumen 2"})
    with ThreadPoolExecutor(8) as uploads:
        list(uploads.map(lambda key: runtime.catalog.put(key, cases[key].data), cases))
    runtime.catalog.put("pictures/unknown-product/1.jpg", picture("blue"))
    runtime.catalog.put("pictures/of-no-product.jpg", picture("blue"))
    (done,) = index(runtime, "odd")
    return done


@pytest.fixture
def shard(runtime: Runtime, report: CloseReport) -> Shard:
    return Shard(runtime.work, f"runs/{report.batch}/shards/00000")


def test_every_key_arrives_and_none_is_lost(
    shard: Shard, cases: Mapping[str, Case], report: CloseReport
) -> None:
    assert {change.source.key for change in shard.read("changes", Change)} == set(cases)
    assert report.plan == {"added": len(cases), "waiting_for_product": 2}
    decoded = report.stages["decode"]
    assert decoded.read == len(cases) == decoded.done + decoded.failed


def test_every_file_is_a_segment_or_a_failure_as_people_expect(
    runtime: Runtime, shard: Shard, cases: Mapping[str, Case]
) -> None:
    keys = {
        change.asset_id: change.source.key
        for change in shard.read("changes", Change)
        if isinstance(change, Asset)
    }
    opened = {keys[segment.asset_id]: segment for segment in shard.read("segments", Segment)}
    failed = {keys[failure.record_id]: failure for failure in shard.failures("decode")}  # type: ignore[index]
    assert opened.keys() | failed.keys() == set(cases)
    assert not opened.keys() & failed.keys()
    wrong = [
        key
        for key, case in cases.items()
        if not case.either and (key in failed) != bool(case.fails)
    ]
    assert [(key, failed.get(key)) for key in wrong] == []
    assert [key for key, failure in failed.items() if failure.kind not in cases[key].fails] == []
    assert all(len(failure.message) > 20 for failure in failed.values())
    answers = (
        (cases[key], runtime.work.get(pixels_key(segment.pixels)) or b"")
        for key, segment in opened.items()
    )
    assert [
        text
        for case, jpeg in answers
        if (text := complaint(case, [Decoded(where=Whole(), jpeg=jpeg)]))
    ] == []


def test_every_failure_is_in_the_ledger_and_the_counts_add_up(
    runtime: Runtime, shard: Shard, cases: Mapping[str, Case], report: CloseReport
) -> None:
    """A failed picture is named with its reason; it is not tried again before its bytes change."""
    target = runtime.target().target_id
    failures = shard.failures("decode")
    assert report.assets == {
        "live": len(cases) - len(failures),
        "failed": len(failures),
        "removed": 0,
        "unsettled": 0,
    }
    known = {
        key: (failure.kind, failure.message)
        for key, failure in runtime.ledger.failures(target, limit=10_000)
    }
    keys = {asset_id(runtime.catalog.bucket, key): key for key in cases}
    assert known == {
        keys[AssetId(failure.record_id)]: (failure.kind, failure.message) for failure in failures
    }
    assert index(runtime, "the-next-night") == []
