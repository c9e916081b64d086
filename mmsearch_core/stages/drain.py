"""drain: what waits in the queue of changes becomes a batch of hints, recorded before its messages are deleted.

A message is only a hint that a key may have changed, and the plan looks at every key again. So a message that comes
twice, late, or after its batch was recorded costs one look, and whatever dies on the way loses nothing: what was not
deleted comes again.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import structlog

from mmsearch_core.catalog.feed import read_feed
from mmsearch_core.catalog.manifest import Manifest, manifest_key
from mmsearch_core.catalog.notifications import changed_keys
from mmsearch_core.codec import to_json
from mmsearch_core.errors import Busy, PreconditionFailed, UnusableMessage
from mmsearch_core.ports import ChangeFeed, Ledger, Stores
from mmsearch_core.records.ids import BatchId, digest
from mmsearch_core.records.message import Message
from mmsearch_core.records.run import Failure, Target
from mmsearch_core.settings import Catalog, Queue, Settings
from mmsearch_core.stages.pace import batch_size
from mmsearch_core.stages.withdraw import withdraw

DRAINED = "inbox/drained"  # in the work bucket: the last run that took messages out of the queue

log = structlog.get_logger()


def run(*, run_id: str, target: Target, stores: Stores, changes: ChangeFeed, settings: Settings) -> dict[str, Any]:
    """Receive, record, delete; returns the task's report. No batch where no message names a picture."""
    if batches := list(_recorded(run_id, stores)):
        log.info("drain.recorded_before", batches=len(batches))
        return {"stage": "drain", "batches": batches, "counts": {}, "target": target.target_id}
    messages = gather(changes, settings.queue)
    keys, skipped = sift(messages, settings.catalog)
    hinted = [key for key in keys if key != settings.catalog.feed]
    redriven = _by_the_feed(target, stores, settings.catalog) if len(hinted) < len(keys) else []
    if skipped:
        _record_skipped(run_id, skipped, stores)
    wanted = list(dict.fromkeys([*hinted, *redriven]))
    batches = _record(run_id, wanted, target, stores, batch_size(settings.shards.most, stores.work, settings))
    changes.delete(messages)
    if messages:
        stores.work.put(DRAINED, run_id.encode())
    counts = {"messages": len(messages), "keys": len(hinted), "redriven": len(redriven), "skipped": len(skipped)}
    log.info("drain.done", batches=len(batches), **counts)
    return {"stage": "drain", "batches": batches, "counts": counts, "target": target.target_id}


def nothing_to_hint_at() -> dict[str, Any]:
    """The task's report before the first comparison, which sees all that the messages could name: they stay in the
    queue, and cost a look each when there is an index."""
    log.warning("drain.no_index", do="run catalog_refresh; until then messages wait in the queue")
    return {"stage": "drain", "batches": [], "counts": {}, "target": None}


def gather(changes: ChangeFeed, settings: Queue) -> list[Message]:
    """Messages until none came for a while, there are enough, or the first has waited long enough."""
    messages: list[Message] = []
    deadline = time.monotonic() + settings.longest_seconds
    while (room := settings.max_batch - len(messages)) > 0 and (left := deadline - time.monotonic()) > 0:
        # whoever rang saw messages: if there are none, an earlier drain took them
        found = changes.receive(room, wait=min(settings.quiet_seconds, left) if messages else 1)
        if not found:
            break
        messages += found
    return messages


def sift(messages: Sequence[Message], settings: Catalog) -> tuple[list[str], list[Failure]]:
    """The keys to look at, each once, and what was skipped and why."""
    keys: dict[str, None] = {}
    skipped: list[Failure] = []
    for message in messages:
        for found in changed_keys(message.body, settings.bucket):
            answer = found if isinstance(found, UnusableMessage) else _wanted(found, settings)
            if isinstance(answer, UnusableMessage):
                said = f"{answer} It began with {message.body[:200]!r}."
                name = type(answer).__name__
                skipped.append(Failure(record_id=message.message_id, stage="drain", kind=name, message=said))
            else:
                keys[answer] = None
    return list(keys), skipped


def _wanted(key: str, settings: Catalog) -> str | UnusableMessage:
    if key == settings.feed or (key.startswith(settings.pictures) and not key.endswith("/")):
        return key
    return UnusableMessage(f"The key {key!r} is no picture under {settings.pictures!r}.")


def _by_the_feed(target: Target, stores: Stores, settings: Catalog) -> list[str]:
    """Take the feed in, and name the pictures that waited for it or whose product now reads otherwise."""
    if stores.catalog.head(settings.feed) is None:
        log.warning("drain.no_feed", key=settings.feed)
        return []
    products, unreadable = read_feed(stores.catalog, settings.feed)
    log.info("drain.feed", changed=stores.ledger.put_products(products), unreadable=unreadable)
    withdraw(stores.work, stores.ledger)
    return list(_redriven(stores.ledger, target, settings.pictures))


def _redriven(ledger: Ledger, target: Target, prefix: str) -> Iterator[str]:
    for batch in ledger.known(target.target_id, prefix=prefix):
        products = ledger.products(list({known.product_id for known in batch}))
        for known in batch:
            product = products.get(known.product_id)
            waited = known.state == "waiting_for_product"
            differs = known.state == "live" and product is not None and known.product_text != product.text_digest
            if product is not None and (waited or differs):
                yield known.key


def _batch(run_id: str, number: int) -> BatchId:
    """Named by the run and no try of it: a try that died after it had recorded is found by the next."""
    return BatchId(digest("drain", run_id, str(number))[:16])


def _recorded(run_id: str, stores: Stores) -> Iterator[BatchId]:
    number = 0
    while stores.work.head(manifest_key(batch := _batch(run_id, number))):
        yield batch
        number += 1


def _record(run_id: str, keys: Sequence[str], target: Target, stores: Stores, size: int) -> list[BatchId]:
    batches = []
    for number, start in enumerate(range(0, len(keys), size)):
        manifest = Manifest(
            batch=_batch(run_id, number), source=f"drain {run_id}", keys=tuple(keys[start : start + size])
        )
        try:
            stores.work.put(manifest_key(manifest.batch), to_json(manifest), if_none_match=True)
        except PreconditionFailed as error:
            raise Busy("Another try of this run has recorded other messages: the next one hands those out.") from error
        stores.ledger.open_batch(manifest.batch, target=target.target_id, source=manifest.source)
        batches.append(manifest.batch)
    return batches


def _record_skipped(run_id: str, skipped: Sequence[Failure], stores: Stores) -> None:
    name = digest(*(failure.record_id for failure in skipped))[:8]
    stores.work.put(f"runs/{_batch(run_id, 0)}/skipped-{name}.json", to_json(skipped))
    for failure in skipped:
        log.warning("drain.skipped", message=failure.record_id, why=failure.kind)
