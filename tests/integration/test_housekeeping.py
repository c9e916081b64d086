"""Housekeeping on SeaweedFS, Milvus Lite and a ledger file: what is in use is still there
afterwards."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.adapters.milvus_index import MilvusIndex
from mmsearch_core.adapters.object_memo import ObjectMemo
from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.records.ids import AssetId
from mmsearch_core.records.report import RemovalReport
from mmsearch_core.stages.upkeep import expire as expiring
from mmsearch_core.wiring.batches import Runtime
from tasks import expire, redrive, sweep
from tests.line import ask, fake_runtime, feed, index, index_batch, picture, search

REQUEST = json.dumps({"run": "weekly"})


@pytest.fixture
def shop(servers: Any, tmp_path: Path) -> Runtime:
    """Two pictures indexed and a query published, with fake models on the real parts."""
    unique = str(time.time_ns())
    runtime = fake_runtime(search={"buckets": 4}, index={"alias": f"keep_{unique}"})
    catalog, work = (
        S3Store(bucket=f"{name}-{unique}", settings=servers.settings.store)
        for name in ("keep", "kept")
    )
    catalog.create()
    work.create()
    runtime = runtime.having(
        catalog=catalog,
        query_log=catalog,
        work=work,
        memo=ObjectMemo(work),
        ledger=SqlLedger(f"sqlite:///{tmp_path}/ledger.db"),
        index=MilvusIndex(servers.settings.index.uri, None),
    )
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    catalog.put("pictures/p1/1.jpg", picture("red"))
    catalog.put("pictures/p2/1.jpg", picture("blue"))
    ask(runtime, ("red dress", "en"))
    index(runtime)
    search(runtime)
    return runtime


@pytest.mark.integration
def test_what_is_in_use_outlives_a_housekeeping_in_a_hundred_days(
    shop: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.catalog.delete("pictures/p2/1.jpg")
    shop.catalog.put("pictures/p1/broken.jpg", b"no picture")
    (closed,) = index(shop, "run-2")
    target = shop.target()
    assert closed.assets == {"live": 0, "failed": 1, "removed": 1, "unsettled": 0}
    (row,) = shop.index.builds(target.collection)
    shop.ledger.take_lease(f"index:{target.target_id}", holder="test", seconds=60)

    later = datetime.now(UTC) + timedelta(days=100)
    monkeypatch.setattr(expiring, "ago", lambda days: later - timedelta(days=days))
    removed = expire.work(shop, REQUEST).removed
    assert removed["runs"] == 1
    assert removed["pixels"] == 1
    shop.ledger.give_lease(f"index:{target.target_id}", holder="test")
    assert sweep.work(shop, REQUEST).removed == {}

    token = shop.ledger.take_lease(f"index:{target.target_id}", holder="test", seconds=60)
    # as if the ledger had been set back
    shop.ledger.forget(target.target_id, [AssetId(row[1])], token=token)
    shop.ledger.give_lease(f"index:{target.target_id}", holder="test")
    assert sweep.work(shop, REQUEST) == RemovalReport(
        stage="sweep", removed={"rows": 1}, such_as={"rows": (row[0],)}, kept={}, dry_run=False
    )
    assert list(shop.index.builds(target.collection)) == []

    asked = shop.vlm.calls  # type: ignore[attr-defined]
    assert index(shop, "run-3")[0].assets["live"] == 1  # made anew from what was kept
    assert shop.vlm.calls == asked  # type: ignore[attr-defined]
    (batch,) = redrive.work(shop, REQUEST).batches
    assert index_batch(shop, batch).assets["failed"] == 1
