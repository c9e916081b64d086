"""drain: what waits in the queue of changes becomes a batch of hints, recorded before its messages
are deleted.

A message is only a hint that a key may have changed, and the plan looks at every key again. So a
message that comes twice, late, or after its batch was recorded costs one look, and whatever dies on
the way loses nothing: what was not deleted comes again.
"""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import structlog
from more_itertools import chunked

from mmsearch_core.catalog.manifest import Manifest
from mmsearch_core.catalog.notifications import changed_keys
from mmsearch_core.catalog.take_feed import TakenFeed, take_feed
from mmsearch_core.codec import to_json
from mmsearch_core.errors import (
    Busy,
    FeedBroken,
    PreconditionFailed,
    TooManyRemovals,
    UnusableMessage,
)
from mmsearch_core.layout import manifest_key, skipped_key
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ChangeFeed
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.commit import Known
from mmsearch_core.records.ids import BatchId, digest
from mmsearch_core.records.message import Message
from mmsearch_core.records.report import DrainReport, Failure, FeedReport
from mmsearch_core.records.target import Target
from mmsearch_core.serving.withdraw import withdraw
from mmsearch_core.settings import Catalog, Queue, Settings
from mmsearch_core.shards.pace import batch_size

DRAINED = "inbox/drained"  # in the work bucket: the last run that took messages out of the queue

log = structlog.get_logger()


def run(
    *, run_id: str, target: Target, stores: Stores, changes: ChangeFeed, settings: Settings
) -> DrainReport:
    """Receive, record, delete; returns the task's report. No batch where no message names a
    picture. A feed that may not be taken holds up no picture: it is left to the nightly comparison,
    where a person sees it."""
    if batches := list(_recorded(run_id, stores)):
        log.info("drain.recorded_before", batches=len(batches))
        return DrainReport(batches=tuple(batches), target=target.target_id)
    messages = gather(changes, settings.queue)
    keys, skipped = sift(messages, settings.catalog)
    hinted = [key for key in keys if key != settings.catalog.feed]
    taken: FeedReport | None = None
    if skipped:
        _record_skipped(run_id, skipped, stores)
    with own_folder() as folder:
        feed = None
        if len(hinted) < len(keys):
            feed, taken = _take_feed(stores, settings.catalog, Path(folder))
        redriven = (
            _redriven(feed, target, stores, settings.catalog, known=set(hinted))
            if feed
            else iter(())
        )
        wanted = itertools.chain(hinted, redriven)
        size = batch_size(settings.shards.most, stores.work, settings)
        batches, recorded = _record(run_id, wanted, target, stores, size)
    if feed:
        stores.ledger.end_feed(feed.state)
        withdraw(stores.work, stores.ledger)
    changes.delete(messages)
    if messages:
        stores.work.put(DRAINED, run_id.encode())
    counts = {
        "messages": len(messages),
        "keys": len(hinted),
        "redriven": recorded - len(hinted),
        "skipped": len(skipped),
    }
    log.info("drain.done", batches=len(batches), **counts)
    return DrainReport(batches=tuple(batches), counts=counts, target=target.target_id, feed=taken)


def nothing_to_hint_at() -> DrainReport:
    """The task's report before the first comparison, which sees all that the messages could name:
    they stay in the queue, and cost a look each when there is an index."""
    log.warning("drain.no_index", do="run catalog_refresh; until then messages wait in the queue")
    return DrainReport()


def gather(changes: ChangeFeed, settings: Queue) -> list[Message]:
    """Messages until none came for a while, there are enough, or the first has waited long
    enough."""
    messages: list[Message] = []
    deadline = time.monotonic() + settings.longest_seconds
    while (room := settings.max_batch - len(messages)) > 0 and (
        left := deadline - time.monotonic()
    ) > 0:
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
                skipped.append(
                    Failure(record_id=message.message_id, stage="drain", kind=name, message=said)
                )
            else:
                keys[answer] = None
    return list(keys), skipped


def _wanted(key: str, settings: Catalog) -> str | UnusableMessage:
    if key == settings.feed or (key.startswith(settings.prefix) and not key.endswith("/")):
        return key
    return UnusableMessage(f"The key {key!r} is no picture under {settings.prefix!r}.")


def _take_feed(
    stores: Stores, settings: Catalog, folder: Path
) -> tuple[TakenFeed | None, FeedReport]:
    """The feed as it was taken, None where it was refused, and what is to be reported of it."""
    try:
        feed = take_feed(stores.catalog, stores.ledger, settings, folder=folder)
    except (FeedBroken, TooManyRemovals) as error:
        log.warning("drain.feed_refused", why=str(error))
        return None, FeedReport(refused=str(error))
    return feed, FeedReport(counts=feed.counts, problems=tuple(feed.problems))


def _redriven(
    feed: TakenFeed, target: Target, stores: Stores, settings: Catalog, *, known: set[str]
) -> Iterator[str]:
    """The pictures, other than those in ``known``, that waited for the feed or that it says
    otherwise of."""
    found = (
        _all_that_differ(stores.ledger, target)
        if feed.resumed
        else _touched(feed, target, stores.ledger)
    )
    for asset in found:
        here = asset.bucket == stores.catalog.bucket and asset.key.startswith(settings.prefix)
        if here and asset.key not in known:
            yield asset.key


def _touched(feed: TakenFeed, target: Target, ledger: Ledger) -> Iterator[Known]:
    """By the products whose text is new, other or gone: where only prices changed, nothing is
    looked up."""
    for products in feed.touching():
        yield from ledger.assets_of_products(target.target_id, products)


def _all_that_differ(ledger: Ledger, target: Target) -> Iterator[Known]:
    """By the pictures: whoever took some of this feed before did not live to say of which
    products."""
    for batch in ledger.known(target.target_id):
        products = ledger.products(list({known.product_id for known in batch}))
        for known in batch:
            product = products.get(known.product_id)
            waits = known.state == "waiting_for_product"
            differs = product is None or known.product_text != product.text_digest
            if (waits and product is not None) or (known.state == "live" and differs):
                yield known


def _batch(run_id: str, number: int) -> BatchId:
    """Named by the run and no try of it: a try that died after it had recorded is found by the
    next."""
    return BatchId(digest("drain", run_id, str(number))[:16])


def _recorded(run_id: str, stores: Stores) -> Iterator[BatchId]:
    number = 0
    while stores.work.head(manifest_key(batch := _batch(run_id, number))):
        yield batch
        number += 1


def _record(
    run_id: str, keys: Iterable[str], target: Target, stores: Stores, size: int
) -> tuple[list[BatchId], int]:
    """Batches of ``size`` keys, and how many keys there were; those of one batch are held at a
    time."""
    batches, count = list[BatchId](), 0
    for piece in chunked(keys, size):
        manifest = Manifest(
            batch=_batch(run_id, len(batches)), source=f"drain {run_id}", keys=tuple(piece)
        )
        try:
            stores.work.put(manifest_key(manifest.batch), to_json(manifest), if_none_match=True)
        except PreconditionFailed as error:
            raise Busy(
                "Another try of this run has recorded other messages: the next one hands those out."
            ) from error
        stores.ledger.open_batch(manifest.batch, target=target.target_id, source=manifest.source)
        batches.append(manifest.batch)
        count += len(piece)
    return batches, count


def _record_skipped(run_id: str, skipped: Sequence[Failure], stores: Stores) -> None:
    name = digest(*(failure.record_id for failure in skipped))[:8]
    stores.work.put(skipped_key(_batch(run_id, 0), name), to_json(skipped))
    for failure in skipped:
        log.warning("drain.skipped", message=failure.record_id, why=failure.kind)
