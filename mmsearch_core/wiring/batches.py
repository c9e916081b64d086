"""The whole as a batch asks for it: its models, its stages, the line that answers queries."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

from mmsearch_core.catalog.manifest import Manifest
from mmsearch_core.codec import from_json
from mmsearch_core.layout import manifest_key
from mmsearch_core.ports.stores import Memo
from mmsearch_core.records.target import Target
from mmsearch_core.search.ask import Line
from mmsearch_core.search.legs import Legs
from mmsearch_core.shards.stage import Stage
from mmsearch_core.stages.index import (
    decode,
    describe,
    embed_image,
    embed_text,
    read_tables,
    upsert,
)
from mmsearch_core.stages.search import judge, retrieve, standardize
from mmsearch_core.wiring.targets import Targets


class Runtime(Targets):
    """All parts, wired: what a task, the command line or a test works with."""

    def for_batch(self, batch: str) -> Self:
        """The parts that the batch asks for: other models, stages that remember nothing."""
        data = self.work.get(manifest_key(batch))
        manifest = from_json(data, Manifest) if data else None
        if manifest is None or not (manifest.models or manifest.redo):
            return self
        return self.with_models(manifest.models).having(redo=manifest.redo)

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
        """A stage that works on shards, ready for the loop; ValueError for any other name.

        :param target: what is searched, where no plan names it.
        """
        memo = self._memo_of(name)
        made = self._index_stage(name, memo) or self._search_stage(name, memo, target)
        if made is None:
            raise ValueError(f"{name} is no stage that works on shards")
        return made

    def _index_stage(self, name: str, memo: Memo) -> Stage[Any] | None:
        batch = self.settings.models.batch
        match name:
            case "decode":
                return decode.stage(
                    catalog=self.catalog,
                    work=self.work,
                    decoder=self.decoder,
                    kinds=self.kinds,
                    settings=self.settings.decode,
                )
            case "read_tables":
                return read_tables.stage(
                    catalog=self.catalog,
                    memo=memo,
                    reader=self.table_reader,
                    kinds=self.kinds,
                    most_bytes=self.settings.decode.most_video_bytes,
                )
            case "describe":
                return describe.stage(
                    work=self.work,
                    memo=memo,
                    model=self.vlm,
                    kinds=self.kinds,
                    asking=self.asking,
                    batch=batch,
                )
            case "embed_text":
                return embed_text.stage(
                    memo=memo, embedder=self.sbert, kinds=self.kinds, batch=batch
                )
            case "embed_image":
                return embed_image.stage(
                    work=self.work,
                    memo=memo,
                    embedder=self.clip,
                    kinds=self.kinds,
                    batch=16 * batch,
                )
            case "upsert":
                return upsert.stage(
                    stores=self.stores,
                    picture_space=self.clip.space,
                    text_space=self.sbert.space,
                    kinds=self.kinds,
                    lease_seconds=self.settings.shards.lease_seconds,
                )
        return None

    def _search_stage(self, name: str, memo: Memo, target: Target | None) -> Stage[Any] | None:
        batch = self.settings.models.batch
        match name:
            case "standardize":
                return standardize.stage(memo=memo, model=self.vlm, batch=batch)
            case "retrieve":
                return retrieve.stage(
                    stores=self.stores,
                    clip=self.clip,
                    sbert=self.sbert,
                    kinds=self.kinds,
                    settings=self.settings.search,
                )
            case "judge":
                return judge.stage(
                    stores=self.stores,
                    memo=memo,
                    model=self.vlm,
                    grading=self.grading,
                    batch=4 * batch,  # a judgement is one token long
                    target=target,
                )
        return None

    def _memo_of(self, stage: str) -> Memo:
        """The memo as the stage may use it: one that is redone finds nothing there."""
        if stage not in self.redo:
            return self.memo
        from mmsearch_core.adapters.redone_memo import RedoneMemo

        return RedoneMemo(self.memo)
