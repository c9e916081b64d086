"""decode: an asset's bytes become segments with normalised pixels."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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

    def fetch(asset: Asset) -> bytes | BadRecord:
        if asset.source.size > settings.most_bytes:
            return MediaTooLarge(
                f"{asset.source.key} has {asset.source.size} bytes, over decode.most_bytes."
            )
        try:
            data = catalog.get(asset.source.key, if_match=asset.source.etag)
        except PreconditionFailed:
            data = None
        return data or _gone_or_empty(asset)

    def keep(asset: Asset, data: bytes, decoded: Sequence[Decoded]) -> list[Segment]:
        source = sha256(data).hexdigest()
        segments = []
        for seen in decoded:
            pixels = pixels_id(source_sha256=source, where=seen.where, decode_recipe=how.recipe_id)
            there = work.head(pixels_key(pixels))
            if (
                there is None or there.last_modified < datetime.now(UTC) - FRESH
            ):  # else expire may be about to take it
                work.put(pixels_key(pixels), seen.jpeg)
            segments.append(
                Segment(
                    segment_id=segment_id(asset.asset_id, seen.where),
                    asset_id=asset.asset_id,
                    product_id=asset.product_id,
                    where=seen.where,
                    pixels=pixels,
                    text=seen.text,
                )
            )
        return segments

    def work_on(assets: Sequence[Asset], run: ShardRun) -> list[Outcome]:
        with ThreadPoolExecutor(READERS) as readers:
            fetched = list(readers.map(fetch, assets))
            good = [
                (asset, data)
                for asset, data in zip(assets, fetched, strict=True)
                if isinstance(data, bytes)
            ]
            run.tally["bytes_read"] += sum(len(data) for _, data in good)
            opened = decoder.decode([(asset.kind, data) for asset, data in good])
            kept = {
                asset.asset_id: readers.submit(keep, asset, data, decoded)
                for (asset, data), decoded in zip(good, opened, strict=True)
                if not isinstance(decoded, BadRecord)
            }
        bad = {
            a.asset_id: d
            for (a, _), d in zip(good, opened, strict=True)
            if isinstance(d, BadRecord)
        }
        bad |= {
            a.asset_id: d for a, d in zip(assets, fetched, strict=True) if isinstance(d, BadRecord)
        }
        return [bad.get(asset.asset_id) or kept[asset.asset_id].result() for asset in assets]

    return Stage(
        recipe=how,
        reads={"changes": "plan"},
        writes={"segments": Segment},
        items=lambda shard, _: assets_of(shard),
        id_of=lambda asset: asset.asset_id,
        work=work_on,
        batch=batch,
        canary=lambda: canary.of_decoder(decoder),
    )


def assets_of(shard: Shard) -> list[Asset]:
    """The shard's changes that are not removals."""
    return [change for change in shard.read("changes", Change) if isinstance(change, Asset)]


def _gone_or_empty(asset: Asset) -> BadRecord:
    if asset.source.size == 0:
        return UnreadableMedia(f"{asset.source.key} is empty.")
    return SourceChanged(
        f"{asset.source.key} changed after it was planned: the next refresh takes it up."
    )
