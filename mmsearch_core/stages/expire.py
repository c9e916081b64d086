"""expire: what nobody will read again goes: old runs, answers of recipes that nothing uses, generations that stopped
being current, and pixels that no index refers to. Whatever is young stays, since something may be about to use it."""

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from mmsearch_core.pages import run_page
from mmsearch_core.ports import Memo, ObjectStore, Stores
from mmsearch_core.records.ids import GenerationId, PixelsId, RecipeId
from mmsearch_core.serving.generation import CURRENT, Generation, generation_key, read_current, read_generation
from mmsearch_core.settings import HousekeepingSettings
from mmsearch_core.stages.housekeeping import Housekeeping, Removals, ago, under

log = structlog.get_logger()

BY_PIXELS = ("describe", "embed_image")  # whose answers are remembered under the pixels' name


def run(
    *, asked: Housekeeping, stores: Stores, memo: Memo, recipes: Collection[RecipeId], settings: HousekeepingSettings
) -> dict[str, Any]:
    """The task's report; ``recipes`` are those of today's settings, beside which the targets' count."""
    used = {*recipes, *(recipe for target in stores.ledger.targets() for recipe in target.recipes.values())}
    removals = Removals(dry_run=asked.dry_run)
    _runs(stores.work, settings, removals)
    _memo(stores.work, used, settings, removals)
    _generations(stores.work, settings, removals)
    _pixels(stores, memo, settings, removals)
    log.info("expire.done", dry_run=asked.dry_run, **removals.counts)
    return {"stage": "expire", **removals.report()}


def _runs(work: ObjectStore, settings: HousekeepingSettings, removals: Removals) -> None:
    newest = _newest(work, "runs/")
    shown = {latest.batch for line in ("index", "search") if (latest := run_page.latest(work, line))}
    old = [batch for batch, moment in newest.items() if moment < ago(settings.run_days) and batch not in shown]
    removals.of("runs", sorted(old), lambda batch: _delete(work, under(work, f"runs/{batch}/")))


def _memo(work: ObjectStore, used: Collection[str], settings: HousekeepingSettings, removals: Removals) -> None:
    """Answers of unused recipes, each once it is old; those of used ones are worth a model call each."""
    before = ago(settings.memo_days)
    for recipe in sorted(set(_newest(work, "memo/")) - set(used)):
        old = [found.key for found in work.list(f"memo/{recipe}/") if found.last_modified < before]
        removals.of("memo", old, work.delete)


def _generations(work: ObjectStore, settings: HousekeepingSettings, removals: Removals) -> None:
    """Those that stopped being current a day ago or longer, but for the newest few. A file that a kept generation took
    over from an old one stays."""
    current = read_current(work)
    if current is None:
        return
    newest = _newest(work, "results/")
    whole = [GenerationId(name) for name in newest if work.head(generation_key(GenerationId(name)))]
    manifests: dict[str, Generation] = {name: read_generation(work, name) for name in whole}
    recent = sorted(manifests, key=newest.__getitem__)[-settings.generations :]
    stopped = _stopped(newest, manifests, current.generation, work)
    young = {name for name, moment in stopped.items() if moment > ago(1)}
    keep = {current.generation, *recent, *young}
    taken = {key for name in keep if name in manifests for key in manifests[name].buckets.values()}
    gone = {name: set(under(work, f"results/{name}/")) - taken for name in set(newest) - keep}
    removals.of("generations", sorted(name for name in gone if gone[name]), lambda name: _delete(work, gone[name]))


def _stopped(
    newest: Mapping[str, datetime], manifests: Mapping[str, Generation], current: str, work: ObjectStore
) -> dict[str, datetime]:
    """The moment before which each generation may have been current still: when it or a child of it was written; for
    those that a rollback left, when the pointer was turned."""
    stopped = dict(newest)
    for name, manifest in manifests.items():
        if manifest.parent in stopped:
            stopped[manifest.parent] = max(stopped[manifest.parent], newest[name])
    pointer = work.head(CURRENT)
    for name in stopped:
        if pointer and newest[name] > newest[current]:
            stopped[name] = max(stopped[name], pointer.last_modified)
    return stopped


def _pixels(stores: Stores, memo: Memo, settings: HousekeepingSettings, removals: Removals) -> None:
    """With the answers that are remembered under their names."""
    before, targets = ago(max(settings.pixels_days, 7)), stores.ledger.targets()

    def forget(key: str) -> None:
        name = key.removeprefix("pixels/").removesuffix(".jpg")
        for recipe in {target.recipes[stage] for target in targets for stage in BY_PIXELS}:
            memo.forget(recipe, [name])
        stores.work.delete(key)

    with tempfile.TemporaryDirectory() as folder:
        old = (found.key for found in stores.work.list("pixels/") if found.last_modified < before)
        used = (f"pixels/{name}.jpg" for target in targets for name in _used(stores, target.collection))
        removals.of("pixels", _only_first(Path(folder), old, used), forget)


def _used(stores: Stores, collection: str) -> Iterator[PixelsId]:
    return stores.index.pixels(collection) if stores.index.uuid(collection) else iter(())


def _only_first(spool: Path, first: Iterable[str], second: Iterable[str]) -> Iterator[str]:
    """What is in the first and not in the second, without holding either in memory."""
    import duckdb

    for name, things in (("first", first), ("second", second)):
        with (spool / name).open("w", encoding="utf-8") as file:
            file.writelines(f"{thing}\n" for thing in things)
    with duckdb.connect() as database:
        read = "SELECT * FROM read_csv('{}', columns={{'name': 'VARCHAR'}}, header=false, delim='\\t', quote='')"
        query = " EXCEPT ".join(read.format(spool / name) for name in ("first", "second"))
        found = database.execute(f"{query} ORDER BY name")
        while rows := found.fetchmany(1_000):
            yield from (name for (name,) in rows)


def _newest(work: ObjectStore, prefix: str) -> dict[str, datetime]:
    """When the youngest object of each folder was written."""
    newest: dict[str, datetime] = {}
    for found in work.list(prefix):
        folder, slash, _ = found.key.removeprefix(prefix).partition("/")
        if slash:
            newest[folder] = max(newest.get(folder, found.last_modified), found.last_modified)
    return newest


def _delete(work: ObjectStore, keys: Iterable[str]) -> None:
    for key in sorted(keys):
        work.delete(key)
