"""How many assets make a shard: as many as keep its slowest stage busy for some minutes, by what
earlier batches took.

A task costs seconds before it does anything (an interpreter, libraries, a model) and a scheduler
starts about one a second, so a shard of an instant wastes both; a shard of hours loses as much when
it has to be done again.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.layout import PACE
from mmsearch_core.media import KINDS
from mmsearch_core.media.picture import PICTURE
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.line import remembering
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.report import ShardReport
from mmsearch_core.settings import MOST_RECORDS, Settings

SECONDS = 450  # that a shard's slowest stage should take: between five and ten minutes
LEAST_RECORDS = 10  # a shard, however slow its stages are
# records that have to be measured: what a process needs to start would else count as theirs
ENOUGH = 50
BATCH_KEYS = 100_000  # a batch; its plan holds that many in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds per asset, by kind of asset and stage, if the memo knew none of its answers."""

    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def shard_size(records: int, *, least: int, most_shards: int) -> int:
    """Records per shard: ``least``, or more where that would make more than ``most_shards`` shards,
    each of which is a mapped task of Airflow for every stage."""
    return max(least, -(-records // most_shards))


def shard_sizes(work: ObjectStore, settings: Settings) -> dict[str, int]:
    """Number of assets in a shard, by their kind."""
    if settings.shards.size:
        return dict.fromkeys(KINDS, settings.shards.size)
    pace = read(work)
    calls = {step.name: step.call_seconds for step in remembering()}
    calls.update(settings.backfill.call_seconds)
    guessed = max(*calls.values(), settings.backfill.other_seconds)
    sizes = {}
    for kind, media in KINDS.items():
        slowest = max(pace.seconds.get(kind, {}).values(), default=guessed * media.segments)
        sizes[kind] = max(LEAST_RECORDS, min(MOST_RECORDS, int(SECONDS / max(slowest, 1e-6))))
    return sizes


def batch_size(shards: int, work: ObjectStore, settings: Settings) -> int:
    """Number of keys in a batch of about this many shards, if they are pictures; assets of other
    kinds make more shards of it."""
    return min(BATCH_KEYS, shards * shard_sizes(work, settings)[PICTURE.name])


def read(work: ObjectStore) -> Pace:
    """What was measured last; empty before the first batch."""
    data = work.get(PACE)
    return from_json(data, Pace) if data else Pace()


def remember(work: ObjectStore, plan: Plan, reports: Mapping[str, Sequence[ShardReport]]) -> None:
    """Keep what a batch shows of each kind and stage, where it shows enough.

    :param reports: the reports of each shard, by its path.
    """
    new = measured(plan, reports)
    if not new.seconds:
        return
    old = read(work)
    merged = {kind: {**old.seconds.get(kind, {}), **stages} for kind, stages in new.seconds.items()}
    work.put(PACE, to_json(Pace(seconds={**old.seconds, **merged})))


def measured(plan: Plan, reports: Mapping[str, Sequence[ShardReport]]) -> Pace:
    """Seconds per asset by kind and stage, of stages that did enough records."""
    # whose answers were worked out
    assets: defaultdict[tuple[str, str], float] = defaultdict(float)
    # that the stage worked on, one or more an asset
    records: defaultdict[tuple[str, str], int] = defaultdict(int)
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for path, of_shard in reports.items():
        kind = plan.shard_kinds.get(path)
        if kind is None:  # planned by an older version
            continue
        for report in of_shard:
            what = (kind, report.stage)
            worked, share = _worked(report)
            records[what] += worked
            assets[what] += plan.shards.get(path, 0) * share
            seconds[what] += sum(report.timing.values())
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for (kind, stage), number in records.items():
        if number >= ENOUGH and assets[kind, stage]:
            found[kind][stage] = round(seconds[kind, stage] / assets[kind, stage], 6)
    return Pace(seconds=found)


def even_pieces(number: int, size: int, most: int) -> int:
    """Records per piece when ``number`` records are cut into pieces of about equal length: at most
    ``size`` each, or more where there would else be over ``most`` pieces."""
    pieces = min(max(1, math.ceil(number / size)), most)
    return math.ceil(number / pieces)


def _worked(report: ShardReport) -> tuple[int, float]:
    """How many records cost time, and their share of all: those that the memo answered cost
    none."""
    made, saved = report.tally.get("calls_made", 0), report.tally.get("calls_saved", 0)
    if made + saved:
        return made, made / (made + saved)
    return report.read, 1.0
