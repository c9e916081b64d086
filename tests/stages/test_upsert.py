"""upsert: what it asks the store, and when."""

import threading
from typing import Any, cast

from tasks import compare, plan
from tests.line import INDEX, do, fake_runtime, feed, picture
from tests.patience import PATIENCE

TOGETHER = 8


def test_objects_are_looked_at_once_more_side_by_side_and_before_others_have_to_wait() -> None:
    """A store that answers in 20 ms would else let fifty pictures a second in; and the index has
    one writer."""
    runtime = fake_runtime()
    feed(runtime, {"p1": "Lumen"})
    for number in range(TOGETHER):
        runtime.catalog.put(f"pictures/p1/{number}.jpg", picture("red"))
    (batch,) = compare.work(runtime, "run-1").batches
    (shard,) = plan.work(runtime, batch).shards
    do(runtime, shard, *INDEX[:-1])
    store, ledger = runtime.catalog, runtime.ledger
    all_ask, order = threading.Barrier(TOGETHER), list[str]()

    class Watched:
        bucket = store.bucket

        def head(self, key: str) -> Any:
            all_ask.wait(PATIENCE)  # broken, and so an error, unless all ask at once
            order.append("head")
            return store.head(key)

    class Leased:
        def __getattr__(self, name: str) -> Any:
            order.append(name)
            return getattr(ledger, name)

    watched, leased = cast(tuple[Any, Any], (Watched(), Leased()))
    runtime = runtime.having(catalog=watched, ledger=leased)
    do(runtime, shard, "upsert")
    assert order.count("head") == TOGETHER
    assert order.index("take_lease") > max(
        place for place, name in enumerate(order) if name == "head"
    )
