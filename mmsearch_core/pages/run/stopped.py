"""What stopped a run: for every shard with a stage that has no report, which stage that is and
why."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mmsearch_core.codec import from_json
from mmsearch_core.layout import batch_path, lease_key
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.shards.lease import LeaseNote
from mmsearch_core.shards.task_errors import last_error

LOOKED_AT = 50  # shards whose reason is looked for; all are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A stage that did not finish. ``kind`` is the error's name, "" where none was left; ``deaths``
    counts processes that were killed or lost their engine in it."""

    place: str
    stage: str
    kind: str = ""
    sentence: str = ""
    exit_code: int = 0
    at: datetime | None = None
    deaths: int = 0
    record: str = ""  # that the last of them worked on

    def __str__(self) -> str:
        """One sentence or two: what happened, and what to do."""
        if self.kind:
            died = f" {_times(self.deaths)}" if self.deaths else ""
            return f"{self.stage} of {self.place} failed with {self.kind}: {self.sentence}{died}"
        if self.sentence:
            return f"{self.stage} of {self.place}: {self.sentence}"
        return (
            f"{self.place} has no report of {self.stage}: look at that task's log, mend it and"
            " clear it."
        )


def stopped(work: ObjectStore, missing: Mapping[str, Sequence[str]]) -> list[Stopped]:
    """Why the first stage of each shard did not finish that left a word or a death; ``missing``
    names the stages without a report by shard. Shards beyond ``LOOKED_AT`` are left out."""
    return [
        _of_shard(work, path, stages)
        for path, stages in list(missing.items())[:LOOKED_AT]
        if stages
    ]


def of_batch(work: ObjectStore, batch: str, stage: str) -> Stopped:
    """Why a stage of the whole batch did not finish."""
    place = batch_path(batch)
    error = last_error(work, place, stage)
    if error is None:
        return Stopped(place=place, stage=stage)
    return Stopped(
        place=place,
        stage=stage,
        kind=error.kind,
        sentence=error.sentence,
        exit_code=error.exit_code,
        at=error.at,
    )


def headline(found: Sequence[Stopped], shards: int) -> str:
    """The first of them, and how many more there are."""
    told = [one for one in found if one.kind or one.sentence]
    first = str((told or list(found))[0])
    others = (
        f" {shards - 1} more shards did not finish."
        if shards > 2
        else " Another shard did not finish."
    )
    return first + (others if shards > 1 else "")


def _of_shard(work: ObjectStore, path: str, stages: Iterable[str]) -> Stopped:
    looked = [_of_stage(work, path, stage) for stage in stages]
    told = [one for one in looked if one.kind or one.sentence]
    return (told or looked)[0]


def _of_stage(work: ObjectStore, path: str, stage: str) -> Stopped:
    note = _note(work, lease_key(path, stage))
    error = last_error(work, path, stage)
    held = bool(note.holder)  # its last holder never gave it back
    if held and note.expires > time.time():
        return Stopped(
            place=path, stage=stage, sentence="A process works on it: wait until it is done."
        )
    deaths = note.deaths + held
    if held or (error is None and deaths):
        on = f" The last of them worked on record {note.in_flight}." if note.in_flight else ""
        sentence = f"{_times(deaths)}{on} Look at the memory of the machine, then clear the task."
        return Stopped(
            place=path, stage=stage, sentence=sentence, deaths=deaths, record=note.in_flight
        )
    if error is None:
        return Stopped(place=path, stage=stage)
    return Stopped(
        place=path,
        stage=stage,
        kind=error.kind,
        sentence=error.sentence,
        exit_code=error.exit_code,
        at=error.at,
        deaths=deaths,
    )


def _note(work: ObjectStore, key: str) -> LeaseNote:
    data = work.get(key)
    try:
        return from_json(data, LeaseNote) if data else LeaseNote(holder="", expires=0)
    except Exception:  # half an object: the page does without
        return LeaseNote(holder="", expires=0)


def _times(deaths: int) -> str:
    return "A process died of it." if deaths == 1 else f"{deaths} processes died of it."
