"""Where an index lives: a collection and the recipes that its rows are made with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mmsearch_core.records.ids import RecipeId, TargetId
from mmsearch_core.records.recipe import Recipes


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A collection and the recipes its rows are made with; ``collection_uuid`` tells it from a
    namesake."""

    target_id: TargetId
    collection: str
    collection_uuid: str
    recipes: Recipes  # by kind of asset, then stage
    status: Literal["building", "live", "retired"]

    def recipes_of(self, *stages: str) -> set[RecipeId]:
        """The recipes of these stages, for assets of any kind."""
        found: set[RecipeId] = set()
        for by_stage in self.recipes.values():
            found.update(recipe for stage, recipe in by_stage.items() if stage in stages)
        return found


def kinds_alike(ours: Recipes, theirs: Recipes, stages: Sequence[str]) -> set[str]:
    """The kinds of assets for which both have the same recipe of each of these stages, or neither
    has one."""
    alike = set()
    for kind, recipes in ours.items():
        others = theirs.get(kind)
        if others is None:
            continue
        if all(recipes.get(stage) == others.get(stage) for stage in stages):
            alike.add(kind)
    return alike


def share_a_recipe(ours: Recipes, theirs: Recipes, stage: str) -> bool:
    """Whether both have the same recipe of the stage for some kind of asset. Where they do, they
    name the same model, which is that of every kind."""
    return bool(kinds_alike(ours, theirs, [stage]))
