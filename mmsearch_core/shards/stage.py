"""What a stage is, apart from the loop that runs it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mmsearch_core.errors import (
    BadRecord,
)
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.shards.shard import Shard

In = TypeVar("In")
Outcome = Sequence[Any] | BadRecord  # the records made of one input, or why there are none
Tally = Counter[str]  # what a stage wants counted: calls_made, calls_saved, rows_written, …


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[In]):
    """What a stage is, apart from the loop. ``reads`` names each input file and the stage that
    writes it; ``writes`` names each output file and its record type, a different one each; ``work``
    answers a batch with one outcome an item, in order; ``finish`` is called once, when all are
    answered. ``canary`` does a known good item in the same way, not through the memo, and answers
    why it failed or None: it is asked when so many records failed that the cause may be the
    environment."""

    recipe: Recipe
    reads: Mapping[str, str]
    writes: Mapping[str, Any]
    items: Callable[[Shard], Sequence[In]]
    id_of: Callable[[In], str]
    work: Callable[[Sequence[In], Tally], Sequence[Outcome]]
    batch: int
    finish: Callable[[], None] = lambda: None
    canary: Callable[[], BadRecord | None] | None = None

    @property
    def name(self) -> str:
        """The stage's one name."""
        return self.recipe.stage
