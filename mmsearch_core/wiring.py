"""Settings to a running whole: the only place that picks implementations. Everything is made when
first asked for."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.adapters.milvus_index import MilvusIndex
from mmsearch_core.adapters.object_memo import ObjectMemo
from mmsearch_core.adapters.open_clip_embedder import OpenClipEmbedder
from mmsearch_core.adapters.pillow_decoder import PillowDecoder
from mmsearch_core.adapters.redone_memo import RedoneMemo
from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.adapters.sbert_embedder import SbertEmbedder
from mmsearch_core.adapters.sqs_feed import SqsFeed
from mmsearch_core.adapters.transformers_vlm import TransformersVLM
from mmsearch_core.catalog.manifest import Manifest
from mmsearch_core.codec import from_json
from mmsearch_core.errors import ModelMismatch, StageMissing
from mmsearch_core.layout import manifest_key
from mmsearch_core.ports.index import VectorIndex
from mmsearch_core.ports.ledger import Ledger
from mmsearch_core.ports.media import Decoder
from mmsearch_core.ports.models import Embedder, VisionLanguageModel
from mmsearch_core.ports.stores import ChangeFeed, Memo, ObjectStore
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.ids import RecipeId, TargetId, digest
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.target import Target
from mmsearch_core.safe_text import redacted
from mmsearch_core.search.ask import Line
from mmsearch_core.search.legs import Legs
from mmsearch_core.settings import Settings
from mmsearch_core.shards import targets
from mmsearch_core.shards.stage import Stage
from mmsearch_core.stages.index import decode, describe, embed_image, embed_text, upsert
from mmsearch_core.stages.search import judge, retrieve, standardize


class Runtime:
    """All parts, wired. Tests hand in fakes by setting the attributes before they are first
    used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.redo: tuple[str, ...] = ()  # stages that ask their models again

    def for_batch(self, batch: str) -> "Runtime":
        """The parts that the batch asks for: other models, stages that remember nothing."""
        data = self.work.get(manifest_key(batch))
        manifest = from_json(data, Manifest) if data else None
        if manifest is None or not (manifest.models or manifest.redo):
            return self
        runtime = self.with_models(manifest.models)
        runtime.redo = manifest.redo
        return runtime

    def with_models(self, models: Mapping[str, str]) -> "Runtime":
        """The same parts but for these models ("vlm", "clip", "sbert")."""
        revisions = {f"{name}_revision": None for name in models if name != "clip"}
        chosen = self.settings.models.model_copy(update={**models, **revisions})
        other = Runtime(self.settings.model_copy(update={"models": chosen}))
        differ = {
            "settings",
            "redo",
            *models,
            *(("index_recipes", "search_recipes") if models else ()),
        }
        vars(other).update({name: part for name, part in vars(self).items() if name not in differ})
        return other

    @cached_property
    def catalog(self) -> ObjectStore:
        return S3Store(bucket=self.settings.catalog.bucket, settings=self.settings.store)

    @cached_property
    def work(self) -> ObjectStore:
        return S3Store(bucket=self.settings.work.bucket, settings=self.settings.store, probed=True)

    @cached_property
    def query_log(self) -> ObjectStore:
        return S3Store(bucket=self.settings.query_log.bucket, settings=self.settings.store)

    @cached_property
    def inventory(self) -> ObjectStore | None:
        address = self.settings.catalog.inventory
        return (
            S3Store(bucket=urlsplit(address).netloc, settings=self.settings.store)
            if address
            else None
        )

    @cached_property
    def changes(self) -> ChangeFeed:
        return SqsFeed(self.settings.queue, region=self.settings.store.region)

    @cached_property
    def ledger(self) -> Ledger:
        return SqlLedger(self.settings.ledger.url)

    @cached_property
    def index(self) -> VectorIndex:
        token = self.settings.index.token
        return MilvusIndex(self.settings.index.uri, token.get_secret_value() if token else None)

    @cached_property
    def memo(self) -> Memo:
        return ObjectMemo(self.work)

    @cached_property
    def decoder(self) -> Decoder:
        return PillowDecoder(self.settings.decode)

    @cached_property
    def vlm(self) -> VisionLanguageModel:
        return TransformersVLM(self.settings.models)

    @cached_property
    def clip(self) -> Embedder:
        return OpenClipEmbedder(self.settings.models)

    @cached_property
    def sbert(self) -> Embedder:
        return SbertEmbedder(self.settings.models)

    @cached_property
    def stores(self) -> Stores:
        return Stores(
            catalog=self.catalog,
            work=self.work,
            ledger=self.ledger,
            index=self.index,
            inventory=self.inventory,
        )

    @cached_property
    def index_recipes(self) -> Mapping[str, RecipeId]:
        """What decides the index."""
        recipes = (
            decode.recipe(self.settings.decode),
            describe.recipe(self.vlm.name),
            embed_text.recipe(self.sbert.name),
            embed_image.recipe(self.clip.name),
            upsert.recipe(),
        )
        return {recipe.stage: recipe.recipe_id for recipe in recipes}

    @cached_property
    def search_recipes(self) -> Mapping[str, Recipe]:
        """What decides the results, given the index."""
        recipes = (
            standardize.recipe(self.vlm.name),
            retrieve.recipe(self.settings.search, self.clip.name, self.sbert.name),
            judge.recipe(self.vlm.name),
        )
        return {recipe.stage: recipe for recipe in recipes}

    def named_target(self) -> Target:
        """The target of today's recipes, whether there is one or not."""
        target_id = TargetId(
            digest("target", *(f"{k}={v}" for k, v in sorted(self.index_recipes.items())))[:16]
        )
        return Target(
            target_id=target_id,
            collection=f"{self.settings.index.alias}_{target_id}",
            collection_uuid="",
            recipes=dict(self.index_recipes),
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

    def _check_present(self, target: Target) -> None:
        targets.check_present(target, self.index, where=redacted(self.settings.index.uri))

    def live_target(self) -> Target:
        """The target that searches use; its vectors have to be of the models of today's
        settings."""
        live = next((target for target in self.ledger.targets() if target.status == "live"), None)
        if live is None:
            raise StageMissing("There is no index yet: run catalog_refresh first.")
        for stage in ("embed_text", "embed_image"):
            if live.recipes[stage] != self.index_recipes[stage]:
                raise ModelMismatch(
                    f"The index was built with another model for {stage} than the settings name: "
                    "run catalog_refresh to build a new one, or set models back."
                )
        self._check_present(live)
        return live

    def beside(self) -> "Runtime | None":
        """The same parts with the models whose index is kept current beside the one that is
        searched, if any differ."""
        other = self.with_models(self.settings.beside.models)
        return other if other.index_recipes != self.index_recipes else None

    def legs(self) -> Legs:
        """The legs of retrieval."""
        return Legs(self.index, self.clip, self.sbert)

    def line(self, target: Target | None = None) -> Line:
        """The search line over the live target, or over this one of today's recipes."""
        searched = target or self.live_target()
        return Line(
            stores=self.stores,
            target=searched,
            decoder=self.decoder,
            legs=self.legs(),
            stage=partial(self.stage, target=searched),
            settings=self.settings.search,
        )

    def stage(self, name: str, *, target: Target | None = None) -> Stage[Any]:
        """A stage that works on shards, ready for the loop. ``target`` is what is searched where no
        plan names it."""
        batch = self.settings.models.batch
        work, stores = self.work, self.stores
        memo = RedoneMemo(self.memo) if name in self.redo else self.memo
        makers: dict[str, Callable[[], Stage[Any]]] = {
            "decode": lambda: decode.stage(
                catalog=self.catalog, work=work, decoder=self.decoder, settings=self.settings.decode
            ),
            "describe": lambda: describe.stage(work=work, memo=memo, model=self.vlm, batch=batch),
            "embed_text": lambda: embed_text.stage(memo=memo, embedder=self.sbert, batch=batch),
            "embed_image": lambda: embed_image.stage(
                work=work, memo=memo, embedder=self.clip, batch=16 * batch
            ),
            "upsert": lambda: upsert.stage(
                stores=stores,
                picture_space=self.clip.space,
                text_space=self.sbert.space,
                lease_seconds=self.settings.shards.lease_seconds,
            ),
            "standardize": lambda: standardize.stage(memo=memo, model=self.vlm, batch=batch),
            "retrieve": lambda: retrieve.stage(
                stores=stores, clip=self.clip, sbert=self.sbert, settings=self.settings.search
            ),
            "judge": lambda: judge.stage(
                stores=stores,
                memo=memo,
                model=self.vlm,
                batch=4 * batch,  # a judgement is one token long
                target=target,
            ),
        }
        return makers[name]()
