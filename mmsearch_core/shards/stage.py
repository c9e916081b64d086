"""What a stage is, apart from the loop that runs it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mmsearch_core.errors import (
    BadRecord,
    StageMissing,
)
from mmsearch_core.records.ids import RecipeId
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.shards.shard import Shard

In = TypeVar("In")
NOTHING = RecipeId("")  # the recipe of a stage that does nothing for what a shard holds
Outcome = Sequence[Any] | BadRecord  # the records made of one input, or why there are none
Tally = Counter[str]  # what a stage wants counted: calls_made, calls_saved, rows_written, …


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRun:
    """One run of a stage on a shard: what its work may need beside the items."""

    holds: str  # what the items are made of: a kind of asset, or queries
    recipe: RecipeId  # the stage's, for these
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
    """What a stage is, apart from the loop."""

    name: str
    # what decides its outputs, apart from its inputs, by what a shard holds: a kind, or queries;
    # for what has none here, the stage has nothing to do and makes nothing
    recipes: Mapping[str, Recipe]
    reads: Mapping[str, str]  # the stage that writes it, by input file
    writes: Mapping[str, Any]  # the type of its records, a different one each, by output file
    items: Callable[[Shard, Plan], Sequence[In]]
    id_of: Callable[[In], str]
    # one outcome an item, in order
    work: Callable[[Sequence[In], ShardRun], Sequence[Outcome]]
    batch: int  # items that ``work`` is given at once
    finish: Callable[[], None] = lambda: None  # is called once, when all are answered
    # does a known good item in the same way, not through the memo, and answers why it failed or
    # None; asked when so many records failed that the cause may be the environment
    canary: Callable[[], BadRecord | None] | None = None

    def new_run(self, holds: str, plan: Plan | None = None) -> ShardRun:
        """A run of the stage on what is of this kind."""
        return ShardRun(holds=holds, recipe=self.recipe_of(holds) or NOTHING, plan=plan)

    def recipe_of(self, holds: str) -> RecipeId | None:
        """The recipe for what is of this kind; None where the stage does nothing for it."""
        recipe = self.recipes.get(holds)
        return recipe.recipe_id if recipe else None
