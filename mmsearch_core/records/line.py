"""The two lines, as data: the stages that work on shards, in their order.

What follows from it elsewhere is derived: closing, estimating, redoing, expiring, pages and forms.
A new stage is a file in ``stages/``, a ``Step`` here, a file in ``tasks/`` and an arrow in its DAG.
"""

from dataclasses import dataclass
from typing import Literal

Remembered = Literal["pixels", "text", "query", "pair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage of a line."""

    name: str
    # the stages whose recipes decide, beside its own and the asset's bytes, what it answers
    after: tuple[str, ...] = ()
    # what its model's answers are remembered by; None: it asks no model
    remembered_by: Remembered | None = None
    gpu: bool = False
    call_seconds: float = 0.0  # that a model call is guessed to take before one was measured


INDEX = (
    Step(name="decode"),
    Step(name="read_tables", after=("decode",), remembered_by="pixels", call_seconds=0.1),
    Step(name="describe", after=("decode",), remembered_by="pixels", gpu=True, call_seconds=1.0),
    Step(
        name="embed_text",
        after=("decode", "read_tables", "describe"),
        remembered_by="text",
        gpu=True,
        call_seconds=0.01,
    ),
    Step(
        name="embed_image", after=("decode",), remembered_by="pixels", gpu=True, call_seconds=0.02
    ),
    Step(name="upsert", after=("decode", "read_tables", "describe", "embed_text", "embed_image")),
)
EMBEDDING = ("embed_text", "embed_image")  # the stages whose models a search asks, too
SEARCH = (
    Step(name="standardize", remembered_by="query", gpu=True),
    Step(name="retrieve", after=("standardize",)),
    Step(name="judge", after=("standardize", "retrieve"), remembered_by="pair", gpu=True),
)


def names(line: tuple[Step, ...]) -> tuple[str, ...]:
    """The names of a line's stages, in their order."""
    return tuple(step.name for step in line)


def building() -> tuple[str, ...]:
    """The stages whose recipes decide what a row of the index says; those that have no recipe for a
    kind of asset do nothing for it, and decide nothing of its rows."""
    (last,) = [step for step in INDEX if step.name == "upsert"]
    return last.after


def remembering() -> tuple[Step, ...]:
    """The stages of the index line whose models' answers are remembered: only these can be
    redone."""
    return tuple(step for step in INDEX if step.remembered_by)
