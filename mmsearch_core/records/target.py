"""Where an index lives: a collection and the recipes that its rows are made with."""

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


def share_a_recipe(ours: Recipes, theirs: Recipes, stage: str) -> bool:
    """Whether both have the same recipe of the stage for some kind of asset. Where they do, they
    name the same model, which is that of every kind."""
    return any(
        stage in by_stage and by_stage[stage] == theirs.get(kind, {}).get(stage)
        for kind, by_stage in ours.items()
    )
