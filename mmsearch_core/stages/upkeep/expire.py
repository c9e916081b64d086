"""expire: what nobody will read again goes: old runs, answers of recipes that nothing uses,
generations that stopped being current, cells of builds that no index lives by, and pixels that no
index refers to. Whatever is young stays, since something may be about to use it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from more_itertools import chunked, flatten

from mmsearch_core.layout import (
    CURRENT,
    MEMO,
    PIXELS,
    RESULTS,
    RUNS,
    TABLES,
    batch_path,
    build_of_cells,
    frames_key,
    generation_key,
    pixels_key,
    pixels_of_key,
)
from mmsearch_core.own_folder import own_folder
from mmsearch_core.pages.run.night import latest
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import Memo, ObjectStore
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.records.ids import (
    AssetId,
    Build,
    GenerationId,
    PixelsId,
    RecipeId,
    TargetId,
)
from mmsearch_core.records.line import INDEX, names
from mmsearch_core.records.report import RemovalReport
from mmsearch_core.records.target import Target
from mmsearch_core.serving.generation import Generation, read_current, read_generation
from mmsearch_core.settings import HousekeepingSettings
from mmsearch_core.stages.upkeep.housekeeping import Housekeeping, Removals, ago

log = structlog.get_logger()

# of the names of pixels, which are digests: their listings go side by side
FIRST_DIGITS = "0123456789abcdef"
LISTERS = 8
LOOKERS = 16
NO_INDEX = "No index is live yet: nothing says what it will need."
WRITING = Build("")  # stands for a build that is not live yet
AT_ONCE = 100  # cells that are looked at once more and go, before the next ones
LINES = 10_000  # names held at a time
MEMORY = "400MB"  # for DuckDB; what does not fit goes to the folder
NAMES = pa.schema([("name", pa.string())])
# asset, and what a row of it refers to
ROWS = pa.schema([("name", pa.string()), ("pixels", pa.string())])


def run(
    *,
    asked: Housekeeping,
    stores: Stores,
    memo: Memo,
    recipes: Collection[RecipeId],
    settings: HousekeepingSettings,
) -> RemovalReport:
    """The task's report; ``recipes`` are those of today's settings, beside which the targets'
    count."""
    used = set(recipes)
    for target in stores.ledger.targets():
        used.update(target.recipes_of(*names(INDEX)))
    removals = Removals(dry_run=asked.dry_run)
    _runs(stores.work, settings, removals)
    _memo(stores.work, used, settings, removals)
    _generations(stores.work, settings, removals)
    _tables(stores, settings, removals)
    _pixels(stores, memo, settings, removals)
    log.info("expire.done", dry_run=asked.dry_run, **removals.counts)
    return removals.report("expire")


def _runs(work: ObjectStore, settings: HousekeepingSettings, removals: Removals) -> None:
    newest = _newest(work, RUNS)
    newest_pages = [latest(work, line) for line in ("index", "search")]
    shown = {page.batch for page in newest_pages if page}
    before = ago(settings.run_days)
    old = [batch for batch in newest.keys() - shown if newest[batch] < before]
    removals.of("runs", sorted(old), partial(_remove_folders, work))


def _remove_folders(work: ObjectStore, batches: Sequence[str]) -> None:
    for batch in batches:
        work.delete_many([found.key for found in work.list(f"{batch_path(batch)}/")])


def _memo(
    work: ObjectStore, used: Collection[str], settings: HousekeepingSettings, removals: Removals
) -> None:
    """Answers of unused recipes, each once it is old. Those of used ones are worth a model call
    each, and are so many that they are not even listed."""
    before = ago(settings.memo_days)
    for recipe in sorted(set(work.folders(MEMO)) - set(used)):
        old = (found.key for found in work.list(f"{MEMO}{recipe}/") if found.last_modified < before)
        removals.of("memo", old, work.delete_many)


def _generations(work: ObjectStore, settings: HousekeepingSettings, removals: Removals) -> None:
    """Those that stopped being current a day ago or longer, but for the newest few. A file that a
    kept generation took over from an old one stays."""
    current = read_current(work)
    if current is None:
        return
    files: dict[str, set[str]] = defaultdict(set)
    newest: dict[str, datetime] = {}
    for name, found in _in_folders(work, RESULTS):
        files[name].add(found.key)
        newest[name] = max(newest.get(name, found.last_modified), found.last_modified)
    whole = [
        GenerationId(name) for name in files if generation_key(GenerationId(name)) in files[name]
    ]
    manifests: dict[str, Generation] = {name: read_generation(work, name) for name in whole}
    recent = sorted(manifests, key=newest.__getitem__)[-settings.generations :]
    stopped = _stopped(newest, manifests, current.generation, work)
    young = {name for name, moment in stopped.items() if moment > ago(1)}
    keep = {current.generation, *recent, *young}
    taken: set[str] = set()
    for name in keep & manifests.keys():
        taken.update(manifests[name].buckets.values())
    gone = {name: files[name] - taken for name in set(newest) - keep}

    def remove(names: Sequence[str]) -> None:
        for name in names:
            work.delete_many(sorted(gone[name]))

    removals.of("generations", sorted(name for name in gone if gone[name]), remove)


def _stopped(
    newest: Mapping[str, datetime],
    manifests: Mapping[str, Generation],
    current: str,
    work: ObjectStore,
) -> dict[str, datetime]:
    """The moment before which each generation may have been current still: when it or a child of it
    was written; for those that a rollback left, when the pointer was turned."""
    stopped = dict(newest)
    for name, manifest in manifests.items():
        if manifest.parent in stopped:
            stopped[manifest.parent] = max(stopped[manifest.parent], newest[name])
    pointer = work.head(CURRENT)
    for name in stopped:
        if pointer and newest[name] > newest[current]:
            stopped[name] = max(stopped[name], pointer.last_modified)
    return stopped


def _tables(stores: Stores, settings: HousekeepingSettings, removals: Removals) -> None:
    """Cells that are old and of a build by which no asset lives in any index."""
    before = ago(max(settings.pixels_days, 7))
    targets = stores.ledger.targets()
    if not any(target.status == "live" for target in targets):
        removals.kept("tables", NO_INDEX)
        return

    def unused(keys: Sequence[str]) -> list[str]:
        builds = {key: build_of_cells(key) for key in keys}
        used = _live_builds(stores.ledger, targets, [asset for asset, _ in builds.values()])
        return [
            key
            for key, (asset, build) in builds.items()
            if not {build, WRITING} & used.get(asset, set())
        ]

    def remove(keys: Sequence[str]) -> None:
        # upsert tells the ledger of an asset before it writes its cells, and the ledger is asked
        # last: what is written after it was seen to be old counts as being written
        for few in chunked(keys, AT_ONCE):
            stores.work.delete_many(unused(_still_old(stores.work, few, before)))

    old = (found.key for found in stores.work.list(TABLES) if found.last_modified < before)
    names = flatten(unused(piece) for piece in chunked(old, LINES))
    removals.of("tables", names, remove)


def _live_builds(
    ledger: Ledger, targets: Sequence[Target], assets: Sequence[AssetId]
) -> dict[AssetId, set[Build]]:
    """The builds that some index has of these assets; ``WRITING`` among them where one is being
    written."""
    builds: dict[AssetId, set[Build]] = defaultdict(set)
    for target in targets:
        for asset, known in ledger.look_up(target.target_id, list(dict.fromkeys(assets))).items():
            if known.live_build:
                builds[asset].add(known.live_build)
            if known.state == "writing":
                builds[asset].add(WRITING)
    return builds


def _pixels(stores: Stores, memo: Memo, settings: HousekeepingSettings, removals: Removals) -> None:
    """Pixels that are old and that no row refers to, with the answers that are remembered under
    their names; none while an index is not whole, since it is rebuilt from them."""
    before = ago(max(settings.pixels_days, 7))
    targets = stores.ledger.targets()
    with own_folder() as folder:
        spool = _Spool(Path(folder))
        # before the rows are read: what is written later is young
        spool.old_pixels(stores.work, before)
        if why := spool.rows(stores, targets):
            removals.kept("pixels", why)
            log.warning("expire.pixels_kept", why=why)
            return
        by_pixels = [step.name for step in INDEX if step.remembered_by == "pixels"]
        recipes: set[RecipeId] = set()
        for target in targets:
            recipes |= target.recipes_of(*by_pixels)

        def remove(keys: Sequence[str]) -> None:
            old = _still_old(stores.work, keys, before)
            for recipe in sorted(recipes):
                memo.forget(recipe, [pixels_of_key(key) for key in old])
            # frames first: a picture is what says that they are there
            frames = [frames_key(pixels_of_key(key)) for key in old]
            stores.work.delete_many([*frames, *old])

        removals.of("pixels", (pixels_key(PixelsId(name)) for name in spool.unused()), remove)


def _still_old(work: ObjectStore, keys: Sequence[str], before: datetime) -> list[str]:
    """Those that nobody wrote again since they were listed: whoever uses old pixels anew writes
    them anew."""
    with ThreadPoolExecutor(LOOKERS) as lookers:
        now = list(lookers.map(work.head, keys))
    return [
        key for key, found in zip(keys, now, strict=True) if found and found.last_modified < before
    ]


class _Spool:
    """Names in files of a folder, compared by DuckDB: there may be ten million of each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def old_pixels(self, work: ObjectStore, before: datetime) -> None:
        """Pixels that were written before that moment."""

        def list_part(digit: str) -> None:
            found = work.list(f"{PIXELS}{digit}")
            self._write(
                f"old-{digit}",
                ((pixels_of_key(ref.key),) for ref in found if ref.last_modified < before),
            )

        with ThreadPoolExecutor(LISTERS) as listers:
            list(listers.map(list_part, FIRST_DIGITS))

    def rows(self, stores: Stores, targets: Sequence[Target]) -> str:
        """Which pixels the rows of all targets refer to; or why that cannot be said today, for
        people."""
        if not any(target.status == "live" for target in targets):
            return NO_INDEX
        for target in targets:
            if stores.index.uuid(target.collection) != target.collection_uuid:
                return (
                    f"The collection {target.collection} is missing: run catalog_refresh, or"
                    " mmsearch retire it."
                )
            if stores.ledger.open_batches(target.target_id):
                return f"Batches of {target.collection} are not done: they may need them."
            self._write(f"live-{target.target_id}", _live_assets(stores, target.target_id))
            self._write(f"rows-{target.target_id}", stores.index.pixels(target.collection), ROWS)
            if missing := self._without_rows(target.target_id):
                return (
                    f"{missing} pictures have no rows in {target.collection}: catalog_refresh"
                    " writes them again."
                )
        return ""

    def unused(self) -> Iterator[str]:
        """Old pixels to which no row refers, in order."""
        old, used = self._read("old-*"), self._read("rows-*")
        return self._names(f"SELECT name FROM {old} EXCEPT SELECT pixels FROM {used} ORDER BY name")  # noqa: S608 no input in it

    def _without_rows(self, target: TargetId) -> int:
        live, rows = self._read(f"live-{target}"), self._read(f"rows-{target}")
        missing = self._names(f"SELECT name FROM {live} EXCEPT SELECT name FROM {rows}")  # noqa: S608 no input in it
        return sum(1 for _ in missing)

    def _names(self, query: str) -> Iterator[str]:
        import duckdb

        with duckdb.connect(
            config={"memory_limit": MEMORY, "temp_directory": str(self._folder)}
        ) as database:
            found = database.execute(query)
            while rows := found.fetchmany(LINES):
                yield from (name for (name,) in rows)

    def _read(self, files: str) -> str:
        return f"read_parquet('{self._folder / files}')"

    def _write(
        self, file: str, lines: Iterable[tuple[str, ...]], schema: pa.Schema = NAMES
    ) -> None:
        with pq.ParquetWriter(self._folder / file, schema) as writer:
            for piece in chunked(lines, LINES):
                columns = [pa.array(column) for column in zip(*piece, strict=True)]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _live_assets(stores: Stores, target: TargetId) -> Iterator[tuple[str]]:
    for batch in stores.ledger.known(target):
        yield from ((known.asset_id,) for known in batch if known.live_build)


def _newest(work: ObjectStore, prefix: str) -> dict[str, datetime]:
    """When the youngest object of each folder was written."""
    newest: dict[str, datetime] = {}
    for name, found in _in_folders(work, prefix):
        newest[name] = max(newest.get(name, found.last_modified), found.last_modified)
    return newest


def _in_folders(work: ObjectStore, prefix: str) -> Iterator[tuple[str, ObjectRef]]:
    """(folder, object) of everything that lies in a folder directly under the prefix."""
    for found in work.list(prefix):
        folder, slash, _ = found.key.removeprefix(prefix).partition("/")
        if slash:
            yield folder, found
