"""Changes of the bucket through the real scheduler, with nobody pressing anything: none is lost,
whatever Airflow does with the rings of the doorbell. It leaves its thousand pictures, so its name
is the last of those that use the stack."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from mmsearch_core.demo.environment import ROOT
from mmsearch_core.demo.queue import ANYBODY
from mmsearch_core.demo.upload import make_buckets
from mmsearch_core.settings import load_settings
from mmsearch_core.wiring.batches import Runtime
from tests.line import picture
from tests.patience import PATIENCE
from tests.patience import until as wait_until

pytestmark = pytest.mark.scheduler
LARGE_SHARDS = """
import os
os.environ["MMSEARCH_SHARDS__SIZE"] = "1000"
"""


def until(true: Callable[[], object], what: str) -> None:
    """Wait for what the scheduler brings about in several runs."""
    wait_until(true, what, seconds=6 * PATIENCE, pause=1)


class Shop:
    """The buckets, the queue and the index behind a running stack."""

    def __init__(self, stack: Any) -> None:
        self.stack, self.settings = stack, load_settings()
        self.runtime = Runtime(self.settings)
        url = str(self.settings.queue.url)
        address = urlsplit(url)
        self._queue = url
        self._sqs = boto3.client(
            "sqs", endpoint_url=f"{address.scheme}://{address.netloc}", **ANYBODY
        )

    def upload(self, pictures: dict[str, bytes]) -> None:
        """As many programs at once would."""
        with ThreadPoolExecutor(8) as many:
            list(many.map(lambda one: self.runtime.catalog.put(*one), pictures.items()))

    def indexed(self) -> set[str]:
        """The keys whose rows lie in the index."""
        target = self.runtime.target()
        assets = {asset for _, asset, _ in self.runtime.index.builds(target.collection)}
        known = self.runtime.ledger.look_up(target.target_id, sorted(assets))
        return {one.key for one in known.values()}

    def messages(self) -> int:
        """Those that wait, and those that somebody has taken and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=names)[
            "Attributes"
        ]
        return sum(int(found[name]) for name in names)

    def runs(self, dag_id: str, state: str) -> set[str]:
        return {
            run["dag_run_id"] for run in self.stack.airflow.runs(dag_id) if run["state"] == state
        }

    def failed(self) -> set[str]:
        """Runs of the two DAGs."""
        return self.runs("catalog_inbox", "failed") | self.runs("index_events", "failed")


@pytest.fixture
def shop(running: Any, tmp_path: Path) -> Iterator[Shop]:
    """A stack that listens to its queue, with a feed of one product."""
    tasks = tmp_path / "tasks"
    shutil.copytree(ROOT / "tasks", tasks)
    (tasks / "__init__.py").write_text(LARGE_SHARDS)
    running.use_tasks(tasks)
    shop = Shop(running)
    make_buckets(shop.settings)
    line = {"product_id": "p1", "title": "Lumen 1", "in_stock": True}
    shop.runtime.catalog.put(shop.settings.catalog.feed, (json.dumps(line) + "\n").encode())
    shop.runtime.build_target()  # nobody drains a queue before there is an index
    running.airflow.switch("catalog_inbox", on=True)
    yield shop
    running.airflow.switch("catalog_inbox", on=False)


def test_a_burst_during_a_drain_and_what_came_while_airflow_was_switched_off(shop: Shop) -> None:
    """1,000 messages while `drain` runs; then changes while `catalog_inbox` and `index_events` are
    paused."""
    failed_before = shop.failed()
    contents = [picture(color) for color in ("red", "blue", "green")]
    prefix = f"{shop.settings.catalog.prefix}p1/"
    burst = {f"{prefix}{number:04}.jpg": contents[number % 3] for number in range(1000)}
    shop.upload({f"{prefix}first.jpg": contents[0]})
    until(lambda: bool(shop.runs("catalog_inbox", "running")), "drained")
    shop.upload(burst)
    expected = {f"{prefix}first.jpg", *burst}
    until(lambda: shop.indexed() >= expected, "indexed completely")

    for dag_id in ("catalog_inbox", "index_events"):
        shop.stack.airflow.switch(dag_id, on=False)
    shop.upload({f"{prefix}later.jpg": contents[1]})
    shop.runtime.catalog.delete(f"{prefix}first.jpg")
    time.sleep(2 * shop.settings.queue.poll_seconds)  # rings that nobody hears
    for dag_id in ("catalog_inbox", "index_events"):
        shop.stack.airflow.switch(dag_id, on=True)
    expected = {f"{prefix}later.jpg", *burst}
    until(
        lambda: (
            shop.indexed() & {f"{prefix}later.jpg", f"{prefix}first.jpg"} == {f"{prefix}later.jpg"}
        ),
        "caught up",
    )
    assert shop.indexed() >= expected
    until(lambda: shop.messages() == 0, "without messages")
    assert shop.failed() == failed_before
