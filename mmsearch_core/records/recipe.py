"""What decides a stage's output, apart from its inputs, and how that is named."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mmsearch_core.records.ids import RecipeId, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything but the inputs that decides a stage's output. ``version`` is bumped by hand when
    its code changes."""

    stage: str
    version: int
    model: str = ""  # name and revision
    prompt: str = ""  # digest of the prompt file
    settings: Mapping[str, str]

    @property
    def recipe_id(self) -> RecipeId:
        """Keys the memo and stands in plans, fingerprints and builds."""
        settings = (f"{name}={value}" for name, value in sorted(self.settings.items()))
        return RecipeId(
            digest("recipe", self.stage, str(self.version), self.model, self.prompt, *settings)
        )


# recipes by what they are for (a kind of asset, or queries), then by stage
Recipes = Mapping[str, Mapping[str, RecipeId]]


def named(stages: Iterable[Mapping[str, Recipe]]) -> Recipes:
    """The names of the recipes of some stages, each given by what they are for."""
    found: dict[str, dict[str, RecipeId]] = defaultdict(dict)
    for of_stage in stages:
        for holds, recipe in of_stage.items():
            found[holds][recipe.stage] = recipe.recipe_id
    return dict(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a stage is about to do: its recipe and the digests of the files it reads, by name."""

    recipe: RecipeId
    inputs: Mapping[str, str]

    def __str__(self) -> str:
        return digest(
            "fingerprint",
            self.recipe,
            *(f"{name}={value}" for name, value in sorted(self.inputs.items())),
        )
