"""What a stage is, apart from the loop that runs it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mmsearch_core.errors import (
    BadRecord,
    StageMissing,
)
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.shards.shard import Shard

In = TypeVar("In")
Outcome = Sequence[Any] | BadRecord  # the records made of one input, or why there are none
Tally = Counter[str]  # what a stage wants counted: calls_made, calls_saved, rows_written, …


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRun:
    """One run of a stage on a shard: what its work may need beside the items."""

    tally: Tally = field(default_factory=Counter)
    plan: Plan | None = None  # None: nobody planned it, as for a query that is asked live

    @property
    def planned(self) -> Plan:
        """The frozen plan of the shard's batch; StageMissing outside of a batch."""
        if self.plan is None:
            raise StageMissing("This stage works on a shard of a batch only.")
        return self.plan


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
    items: Callable[[Shard, Plan], Sequence[In]]
    id_of: Callable[[In], str]
    work: Callable[[Sequence[In], ShardRun], Sequence[Outcome]]
    batch: int
    finish: Callable[[], None] = lambda: None
    canary: Callable[[], BadRecord | None] | None = None

    @property
    def name(self) -> str:
        """The stage's one name."""
        return self.recipe.stage
