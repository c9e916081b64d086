"""What is searched goes over to another index: once that is whole and, where the present one was
measured, no worse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.layout import measured_key, searched_key
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.ids import TargetId
from mmsearch_core.records.line import building
from mmsearch_core.records.target import Target, kinds_alike
from mmsearch_core.settings import Index
from mmsearch_core.shards.targets import lacks

log = structlog.get_logger()

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What `evaluate` found of an index: nDCG@10 of the judged results by query; ``queries`` names
    the judged set."""

    collection: str
    queries: str
    ndcg: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Over all queries."""
        return sum(self.ndcg.values()) / len(self.ndcg)


def remember(work: ObjectStore, target: TargetId, measured: Measured) -> None:
    """Keep the latest figures of a target."""
    work.put(measured_key(target), to_json(measured))


def go_live(target: Target, stores: Stores, settings: Index) -> str:
    """Point the alias at the target, unless it is so, something that a comparison handed out for it
    is not done, or another is searched that may be better: then the answer says what to do."""
    live = next((it for it in stores.ledger.targets() if it.status == "live"), None)
    same = live is not None and live.target_id == target.target_id
    if same and stores.index.resolve(settings.alias) == target.collection:
        return ""
    if lacks(stores.ledger, target.target_id):
        return ""
    if (
        live
        and not same
        and settings.switch == "measured"
        and (why := hindrance(stores.work, live, target))
    ):
        log.warning("switch.waits", collection=target.collection, searched=live.collection, why=why)
        return why
    stores.index.switch(settings.alias, target.collection)
    stores.ledger.set_status(target.target_id, "live")
    stores.work.put(searched_key(target.target_id), b"{}")
    log.info("switch.live", alias=settings.alias, collection=target.collection)
    return ""


def hindrance(work: ObjectStore, live: Target, target: Target) -> str:
    """Why the target may not take the place of the live one yet; nothing against one that was
    searched before: that is the way back. Nor against one whose rows say the same and only have
    another shape."""
    if kinds_alike(target.recipes, live.recipes, building()) == target.recipes.keys():
        return ""
    old = _measured(work, live.target_id)
    if old is None or work.head(searched_key(target.target_id)):
        return ""
    new = _measured(work, target.target_id)
    if new is None or new.queries != old.queries:
        return (
            f"{live.collection} was measured: measure {target.collection} on the same queries with"
            " mmsearch evaluate, then run catalog_refresh."
        )
    names = sorted(old.ndcg.keys() & new.ndcg.keys())
    of_new = [new.ndcg[name] for name in names]
    of_old = [old.ndcg[name] for name in names]
    p_value = paired_randomization(of_new, of_old)
    if new.mean < old.mean and p_value < SIGNIFICANT:
        return (
            f"It finds less: nDCG@10 {new.mean:.3f} instead of {old.mean:.3f} (p = {p_value:.4f})."
            " Set models back, or index.switch to at_once."
        )
    return ""


def paired_randomization(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The two-sided p-value of the difference of means over the same queries (Smucker, Allan and
    Carterette, CIKM 2007); seeded."""
    import numpy as np
    from scipy.stats import permutation_test

    test = permutation_test(
        (np.array(ours), np.array(theirs)),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9_999,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)


def _measured(work: ObjectStore, target: TargetId) -> Measured | None:
    data = work.get(measured_key(target))
    return from_json(data, Measured) if data else None
