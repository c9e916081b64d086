"""The one way in which a feed comes into the ledger, for ``compare`` and ``drain`` alike.

Nothing of a feed is taken that is not there, cannot be read, or would take more products away than
may go unasked. Who reads an older feed gives way to who reads a newer one, and no clock decides
which is which: a process looks at the feed once more before it begins to write, and begins only if
nobody else has begun since it first asked the ledger.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from mmsearch_core.catalog.feed import READER
from mmsearch_core.catalog.feed_join import WRITTEN, FeedChanges, FeedSpool, Spooled
from mmsearch_core.errors import FeedBroken, FeedReplaced, PreconditionFailed, TooManyRemovals
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.records.feed import FeedState
from mmsearch_core.records.ids import ProductId
from mmsearch_core.settings import Catalog

log = structlog.get_logger()

TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenFeed:
    """A feed that is in the ledger; ``end_feed`` is still to be said of its state once its pictures
    are handed out."""

    state: FeedState
    counts: Mapping[str, int]
    problems: tuple[str, ...] = ()  # the first lines that could not be read, each with its reason
    changes: FeedChanges | None = None  # None: the ledger had it already
    # somebody began before and broke off: more products than those in ``changes`` may differ
    resumed: bool = False

    def touching(self) -> Iterator[list[ProductId]]:
        """The products whose pictures are no longer indexed as they should be, in batches."""
        return self.changes.touching() if self.changes else iter(())


def take_feed(
    catalog: ObjectStore, ledger: Ledger, settings: Catalog, *, folder: Path, approved: int = 0
) -> TakenFeed:
    """Take the feed as it is in the bucket now into the ledger. ``folder`` is for what does not fit
    into memory and has to stay while the answer is used; ``approved`` is how many products a person
    lets go. FeedBroken, TooManyRemovals: nothing was taken. FeedReplaced: others kept replacing
    it."""
    for _ in range(TRIES):
        try:
            return _take(catalog, ledger, settings, folder, approved)
        except (FeedReplaced, PreconditionFailed):
            log.info("feed.replaced", key=settings.feed)
    name = f"{catalog.bucket}/{settings.feed}"
    raise FeedReplaced(f"The feed {name} changes faster than it can be read: try again later.")


def _take(
    catalog: ObjectStore, ledger: Ledger, settings: Catalog, folder: Path, approved: int
) -> TakenFeed:
    name = f"{catalog.bucket}/{settings.feed}"
    before = ledger.feed_state(name)
    there = _look(catalog, settings.feed)
    version = f"{READER}:{there.version}"
    if before and before.whole and before.version == version:
        # said anew, so that whoever read another state in between may not write it any more
        state = ledger.begin_feed(
            name, version=version, modified_at=there.last_modified, instead_of=before
        )
        ledger.end_feed(state)
        return TakenFeed(state=state, counts={"products_changed": 0})
    spool = FeedSpool(folder)
    spooled = _read(catalog, there, spool)
    _check_readable(spooled, name, settings)
    changes = spool.compare(ledger)
    _check_gone(changes, name, settings, approved)
    if _look(catalog, settings.feed).version != there.version:
        raise FeedReplaced(f"The feed {name} was replaced while it was read.")
    state = ledger.begin_feed(
        name, version=version, modified_at=there.last_modified, instead_of=before
    )
    resumed = before is not None and not before.whole
    if resumed:
        changes = spool.compare(ledger)  # whoever began before may have written until just now
    ledger.put_products(state, changes.products(), changes.gone())
    counts = _counts(spooled, changes.counts)
    log.info("feed.taken", key=settings.feed, **counts)
    for problem in spooled.problems:
        log.warning("feed.line_unreadable", said=problem)
    return TakenFeed(
        state=state,
        counts=counts,
        problems=tuple(spooled.problems),
        changes=changes,
        resumed=resumed,
    )


def _look(catalog: ObjectStore, key: str) -> ObjectRef:
    there = catalog.head(key)
    if there is None:
        raise FeedBroken(
            f"The feed {catalog.bucket}/{key} is not there: upload it or correct catalog.feed."
        )
    return there


def _read(catalog: ObjectStore, there: ObjectRef, spool: FeedSpool) -> Spooled:
    path = spool.folder / "feed"
    catalog.download(there, path)
    spooled = spool.feed(path)
    path.unlink()
    return spooled


def _counts(spooled: Spooled, verdicts: Mapping[str, int]) -> dict[str, int]:
    return {
        "products_changed": sum(verdicts[verdict] for verdict in (*WRITTEN, "gone")),
        "products_gone": verdicts["gone"],
        "products_kept": verdicts[
            "kept"
        ],  # their lines cannot be read: what was known of them stays
        "products_unreadable": verdicts["unknown"],  # the same, and nothing was known
        "feed_lines_unreadable": spooled.lines - spooled.readable,
    }


def _check_readable(spooled: Spooled, name: str, settings: Catalog) -> None:
    """An exporter that writes another format must not empty the shop."""
    first = f" (line {spooled.problems[0].removeprefix('line ')})" if spooled.problems else ""
    if not spooled.readable:
        raise FeedBroken(
            f"The feed {name} names no product that can be read{first}: nothing was taken; mend it."
        )
    unnamed = spooled.unnamed
    if unnamed > settings.removed_at_least and unnamed > settings.removed_share * spooled.lines:
        raise FeedBroken(
            f"{unnamed} of {spooled.lines} lines of the feed {name} name no product that can be"
            f" read{first}: nothing was taken; mend it."
        )


def _check_gone(changes: FeedChanges, name: str, settings: Catalog, approved: int) -> None:
    """Half a feed is more often uploaded than a shop halves what it sells."""
    gone, known = changes.counts["gone"], changes.known
    if gone <= max(settings.removed_at_least, approved) or gone <= settings.removed_share * known:
        return
    raise TooManyRemovals(
        f"{gone} of {known} products are gone from the feed {name}, more than catalog.removed_share"
        f" allows ({settings.removed_share:.0%}), so nothing of it was taken: if that is meant,"
        f" trigger catalog_refresh with approve_removals={gone}."
    )
