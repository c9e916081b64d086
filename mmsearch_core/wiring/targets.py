"""Which index the settings name, and whether there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Self

from mmsearch_core.errors import ModelMismatch, StageMissing
from mmsearch_core.records.ids import RecipeId, TargetId, digest
from mmsearch_core.records.line import EMBEDDING
from mmsearch_core.records.recipe import Recipes, named
from mmsearch_core.records.target import Target, share_a_recipe
from mmsearch_core.safe_text import redacted
from mmsearch_core.shards import targets
from mmsearch_core.stages.index import (
    decode,
    describe,
    embed_image,
    embed_text,
    read_tables,
    upsert,
)
from mmsearch_core.stages.search import judge, retrieve, standardize
from mmsearch_core.wiring.parts import Parts


class Targets(Parts):
    """The parts, with the recipes that they make and the targets of these recipes."""

    def with_models(self, models: Mapping[str, str]) -> Self:
        """The same parts but for these models ("vlm", "clip", "sbert")."""
        revisions = {f"{name}_revision": None for name in models if name != "clip"}
        chosen = self.settings.models.model_copy(update={**models, **revisions})
        settings = self.settings.model_copy(update={"models": chosen})
        return self.having(settings=settings, redo=(), without=tuple(models))

    def beside(self) -> Self | None:
        """The same parts with the models whose index is kept current beside the one that is
        searched, if any differ."""
        other = self.with_models(self.settings.beside.models)
        return other if other.index_recipes != self.index_recipes else None

    @property
    def asking(self) -> describe.Asking:
        """What the settings say of the questions about segments."""
        pixels = self.settings.models.page_pixels
        return describe.Asking(vocabulary=self.vocabulary, page_pixels=pixels)

    @property
    def grading(self) -> judge.Grading:
        """What the settings say of grading products."""
        least = self.settings.search.least_likely
        return judge.Grading(vocabulary=self.vocabulary, least_likely=least)

    @cached_property
    def index_recipes(self) -> Recipes:
        """What decides the index, by kind of asset, then stage."""
        return named(
            [
                decode.recipes(self.kinds, self.settings.decode),
                read_tables.recipes(self.kinds, self.table_reader.name),
                describe.recipes(self.kinds, self.vlm.name, self.asking),
                embed_text.recipes(self.kinds, self.sbert.name),
                embed_image.recipes(self.kinds, self.clip.name),
                upsert.recipes(self.kinds),
            ]
        )

    @cached_property
    def search_recipes(self) -> Mapping[str, RecipeId]:
        """What decides the results, given the index, by stage."""
        recipes = (
            standardize.recipe(self.vlm.name),
            retrieve.recipe(self.settings.search, self.clip.name, self.sbert.name),
            judge.recipe(self.vlm.name, self.grading),
        )
        return {recipe.stage: recipe.recipe_id for recipe in recipes}

    def named_target(self) -> Target:
        """The target of today's recipes, whether there is one or not."""
        lines = []
        for kind, recipes in self.index_recipes.items():
            lines += [f"{kind}/{stage}={recipe}" for stage, recipe in recipes.items()]
        target_id = TargetId(digest("target", *sorted(lines))[:16])
        return Target(
            target_id=target_id,
            collection=f"{self.settings.index.alias}_{target_id}",
            collection_uuid="",
            recipes=self.index_recipes,
            status="building",
        )

    def known_target(self) -> Target | None:
        """The target of today's recipes as the ledger knows it, None where it does not;
        StageMissing where the index at ``index.uri`` does not have its collection."""
        target = targets.find(self.ledger, self.named_target().target_id)
        if target is not None:
            self._check_present(target)
        return target

    def target(self) -> Target:
        """The target of today's recipes; StageMissing where there is none, or where its collection
        is missing."""
        target = self.known_target()
        if target is None:
            raise StageMissing("There is no index of these models yet: run catalog_refresh first.")
        return target

    def build_target(self) -> Target:
        """The target of today's recipes, made if it is new. Only a comparison may ask for it: a
        collection that is missing counts as lost, is made again, empty, and all that the ledger
        knew of it is forgotten."""
        named = self.named_target()
        uuid = self.index.uuid(named.collection)
        if uuid is None:
            spaces = {embedder.space: embedder.dimension for embedder in (self.clip, self.sbert)}
            uuid = self.index.create(named.collection, spaces)
        return self.ledger.add_target(replace(named, collection_uuid=uuid))

    def target_beside(self, models: Mapping[str, str]) -> Target:
        """The target of these models, made if it is new: a backfill may fill it before any
        comparison does. It is made only beside the index of today's settings, which shows that
        ``index.uri`` is the right one."""
        other = self.with_models(models)
        target = other.known_target()
        if target is None and models:
            self.target()
            return other.build_target()
        return target or other.target()

    def live_target(self) -> Target:
        """The target that searches use; its vectors have to be of the models of today's
        settings."""
        live = next((target for target in self.ledger.targets() if target.status == "live"), None)
        if live is None:
            raise StageMissing("There is no index yet: run catalog_refresh first.")
        for stage in EMBEDDING:
            if not share_a_recipe(self.index_recipes, live.recipes, stage):
                raise ModelMismatch(
                    f"The index was built with another model for {stage} than the settings name:"
                    " run catalog_refresh to build a new one, or set models back."
                )
        self._check_present(live)
        return live

    def _check_present(self, target: Target) -> None:
        targets.check_present(target, self.index, where=redacted(self.settings.index.uri))
