"""Where an index lives: a collection and the recipes that its rows are made with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mmsearch_core.records.ids import RecipeId, TargetId


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A collection and the recipes its rows are made with; ``collection_uuid`` tells it from a
    namesake."""

    target_id: TargetId
    collection: str
    collection_uuid: str
    recipes: Mapping[str, RecipeId]
    status: Literal["building", "live", "retired"]
