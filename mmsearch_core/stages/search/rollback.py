"""rollback: an older generation becomes current again, and nothing is published until a person
releases it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from pydantic import BaseModel, ConfigDict, Field

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import (
    PreconditionFailed,
    StageMissing,
    StopEverything,
    TryLater,
)
from mmsearch_core.forms import read_form
from mmsearch_core.layout import RESULTS, rollback_key
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.ids import GenerationId, digest
from mmsearch_core.records.report import RollbackReport
from mmsearch_core.serving.generation import (
    Current,
    Pointer,
    find_generation,
    flip,
    missing_buckets,
    read_generation,
    read_pointer,
)
from mmsearch_core.serving.withdraw import withdraw

log = structlog.get_logger()

TRIES = 3
NAMED = 5  # generations that an error offers


class Request(BaseModel):
    """The form's field and the run that sends it; an empty ``generation`` is the parent of the
    current one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str = Field(min_length=1)
    generation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a run does, decided once: a run that is tried again goes no further back."""

    before: GenerationId
    after: GenerationId


def read_request(request: str) -> Request:
    """The request; BadSettings names the first field that is wrong."""
    return read_form(request, Request)


def run(*, request: Request, work: ObjectStore, ledger: Ledger) -> RollbackReport:
    """Point ``results/CURRENT`` at the generation and hold it; returns the task's report.

    Raises StageMissing where that generation is not whole, StopEverything where another one became
    current since the run began.
    """
    step = _decided(request, work)
    target = read_generation(work, step.after)

    def back(pointer: Pointer) -> Current:
        if pointer.current.generation not in (step.before, step.after):
            raise StopEverything(
                f"{pointer.current.generation} became current meanwhile: look at it, then start"
                " another run."
            )
        return Current(generation=target.generation, parent=target.parent, hold=True)

    _change(work, back)
    withdraw(work, ledger)
    log.info("rollback.done", before=step.before, after=step.after)
    return RollbackReport(before=step.before, generation=step.after)


def hold(work: ObjectStore) -> Current:
    """Let nothing be published until ``release``; returns what is current."""
    return _change(work, lambda pointer: replace(pointer.current, hold=True))


def release(work: ObjectStore) -> Current:
    """Let the next night publish again; returns what is current."""
    return _change(work, lambda pointer: replace(pointer.current, hold=False))


def _decided(request: Request, work: ObjectStore) -> Step:
    key = rollback_key(digest("rollback", request.run)[:16])
    data = work.get(key)
    if data is not None:
        return from_json(data, Step)
    current = _pointer(work).current
    after = GenerationId(request.generation) if request.generation else _parent(work, current)
    _check_whole(work, after)
    step = Step(before=current.generation, after=after)
    try:
        work.put(key, to_json(step), if_none_match=True)
    except PreconditionFailed as error:
        raise TryLater("Another try of this run goes back already: try again.") from error
    return step


def _parent(work: ObjectStore, current: Current) -> GenerationId:
    if current.parent is None:
        raise StageMissing(
            f"{current.generation} is the first generation: name one to go to.{_offer(work)}"
        )
    return current.parent


def _check_whole(work: ObjectStore, name: GenerationId) -> None:
    manifest = find_generation(work, name)
    if manifest is None:
        raise StageMissing(f"There is no generation {name}.{_offer(work)}")
    lost = missing_buckets(work, manifest)
    if lost:
        raise StageMissing(f"Generation {name} has lost {len(lost)} of its files.{_offer(work)}")


def _offer(work: ObjectStore) -> str:
    """Generations to choose from, newest first; names begin with the moment of their plan."""
    names = {
        found.key.split("/")[1]
        for found in work.list(RESULTS)
        if found.key.endswith("/manifest.json")
    }
    return f" There are {', '.join(sorted(names, reverse=True)[:NAMED])}." if names else ""


def _pointer(work: ObjectStore) -> Pointer:
    pointer = read_pointer(work)
    if pointer is None:
        raise StageMissing("Nothing is published yet: run precompute_results first.")
    return pointer


def _change(work: ObjectStore, changed: Callable[[Pointer], Current]) -> Current:
    for _ in range(TRIES):
        pointer = _pointer(work)
        current = changed(pointer)
        if current == pointer.current:
            return current
        try:
            flip(work, current, pointer)
        except PreconditionFailed:
            continue
        return current
    raise TryLater(f"results/CURRENT changed {TRIES} times meanwhile: try again.")
