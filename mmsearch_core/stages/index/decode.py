"""decode: an asset's bytes become segments with normalised pixels."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from mmsearch_core.errors import (
    BadRecord,
    MediaTooLarge,
    PreconditionFailed,
    SourceChanged,
    UnreadableMedia,
)
from mmsearch_core.layout import pixels_key
from mmsearch_core.ports.media import Decoder
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import Asset, Change
from mmsearch_core.records.ids import AssetId, RecipeId
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.segment import Decoded, Segment, pixels_id, segment_id
from mmsearch_core.settings import Decode
from mmsearch_core.shards import canary
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage

FRESH = timedelta(days=1)
READERS = 8


def recipe(settings: Decode) -> Recipe:
    """What decides the pixels."""
    return Recipe(
        stage="decode",
        version=2,
        settings={"longest_side": str(settings.longest_side), "quality": str(settings.quality)},
    )


def stage(
    *, catalog: ObjectStore, work: ObjectStore, decoder: Decoder, settings: Decode, batch: int = 32
) -> Stage[Asset]:
    """Read each asset as the plan saw it, open it, and store what is seen under its content's
    name."""
    how = recipe(settings)
    return Stage(
        recipe=how,
        reads={"changes": "plan"},
        writes={"segments": Segment},
        items=lambda shard, _: assets_of(shard),
        id_of=lambda asset: asset.asset_id,
        work=Decoding(catalog, work, decoder, settings, how.recipe_id).work_on,
        batch=batch,
        canary=lambda: canary.of_decoder(decoder),
    )


class Decoding:
    """Reads, opens and keeps batches of assets."""

    def __init__(
        self,
        catalog: ObjectStore,
        work: ObjectStore,
        decoder: Decoder,
        settings: Decode,
        recipe_id: RecipeId,
    ) -> None:
        self._catalog, self._work, self._decoder = catalog, work, decoder
        self._settings, self._recipe_id = settings, recipe_id

    def work_on(self, assets: Sequence[Asset], run: ShardRun) -> list[Outcome]:
        """The segments of each asset, or why there are none."""
        bad: dict[AssetId, BadRecord] = {}
        good: list[tuple[Asset, bytes]] = []
        kept: dict[AssetId, Future[list[Segment]]] = {}
        with ThreadPoolExecutor(READERS) as readers:
            for asset, data in zip(assets, readers.map(self._fetch, assets), strict=True):
                if isinstance(data, BadRecord):
                    bad[asset.asset_id] = data
                else:
                    good.append((asset, data))
                    run.tally["bytes_read"] += len(data)
            opened = self._decoder.decode([(asset.kind, data) for asset, data in good])
            for (asset, data), decoded in zip(good, opened, strict=True):
                if isinstance(decoded, BadRecord):
                    bad[asset.asset_id] = decoded
                else:
                    kept[asset.asset_id] = readers.submit(self._keep, asset, data, decoded)
        return [bad.get(asset.asset_id) or kept[asset.asset_id].result() for asset in assets]

    def _fetch(self, asset: Asset) -> bytes | BadRecord:
        if asset.source.size > self._settings.most_bytes:
            return MediaTooLarge(
                f"{asset.source.key} has {asset.source.size} bytes, over decode.most_bytes."
            )
        try:
            data = self._catalog.get(asset.source.key, if_match=asset.source.etag)
        except PreconditionFailed:
            data = None
        return data or _gone_or_empty(asset)

    def _keep(self, asset: Asset, data: bytes, decoded: Sequence[Decoded]) -> list[Segment]:
        source = sha256(data).hexdigest()
        segments = []
        for seen in decoded:
            pixels = pixels_id(
                source_sha256=source, where=seen.where, decode_recipe=self._recipe_id
            )
            there = self._work.head(pixels_key(pixels))
            # what is older, expire may be about to take
            if there is None or there.last_modified < datetime.now(UTC) - FRESH:
                self._work.put(pixels_key(pixels), seen.jpeg)
            segment = Segment(
                segment_id=segment_id(asset.asset_id, seen.where),
                asset_id=asset.asset_id,
                product_id=asset.product_id,
                where=seen.where,
                pixels=pixels,
                text=seen.text,
            )
            segments.append(segment)
        return segments


def assets_of(shard: Shard) -> list[Asset]:
    """The shard's changes that are not removals."""
    return [change for change in shard.read("changes", Change) if isinstance(change, Asset)]


def _gone_or_empty(asset: Asset) -> BadRecord:
    if asset.source.size == 0:
        return UnreadableMedia(f"{asset.source.key} is empty.")
    return SourceChanged(
        f"{asset.source.key} changed after it was planned: the next refresh takes it up."
    )
