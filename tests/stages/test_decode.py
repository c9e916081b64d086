"""decode: files are downloaded, opened, and gone."""

import errno
import tempfile
from pathlib import Path

import pytest

from mmsearch_core.errors import TryLater
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tasks import compare, plan
from tests.line import do, fake_runtime, feed, picture

PICTURE = "pictures/p1/1.jpg"


class Full(MemoryStore):
    """A bucket whose objects do not fit onto the disk."""

    full = False

    def download(self, found: ObjectRef, path: Path) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().download(found, path)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """One picture; temporary files lie in a folder of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    catalog = Full("catalog")
    runtime = fake_runtime().having(catalog=catalog, query_log=catalog)
    feed(runtime, {"p1": "Lumen 1"})
    catalog.put(PICTURE, picture("red"))
    return runtime


def shard_of(runtime: Runtime) -> str:
    (batch,) = compare.work(runtime, "night").batches
    (shard,) = plan.work(runtime, batch).shards
    return shard


def test_nothing_of_what_was_downloaded_is_left(shop: Runtime, tmp_path: Path) -> None:
    do(shop, shard_of(shop), "decode")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_so_and_costs_no_picture(shop: Runtime, tmp_path: Path) -> None:
    """Exit 75: it heals when others are done."""
    shard = shard_of(shop)
    shop.catalog.full = True  # type: ignore[attr-defined]
    with pytest.raises(TryLater, match="is full: free space, or let TMPDIR"):
        do(shop, shard, "decode")
    assert list(tmp_path.iterdir()) == []
    shop.catalog.full = False  # type: ignore[attr-defined]
    do(shop, shard, "decode")
    assert len(list(shop.work.list("pixels/"))) == 1
