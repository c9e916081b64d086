"""decode: an asset's bytes become segments with normalised pixels."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from more_itertools import constrained_batches

from mmsearch_core.errors import (
    BadRecord,
    MediaTooLarge,
    UnreadableMedia,
)
from mmsearch_core.layout import frames_key, pixels_key
from mmsearch_core.media import Kinds
from mmsearch_core.own_folder import own_folder
from mmsearch_core.parquet import dump
from mmsearch_core.ports.media import Decoder
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import Asset, Change
from mmsearch_core.records.ids import AssetId, PixelsId, RecipeId
from mmsearch_core.records.question import Frame
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.segment import Decoded, Segment, pixels_id, segment_id
from mmsearch_core.settings import Decode
from mmsearch_core.shards import canary
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.stages.index.fetch import fetch

log = structlog.get_logger()

FRESH = timedelta(days=1)
READERS = 8


def recipes(kinds: Kinds, settings: Decode) -> dict[str, Recipe]:
    """What decides the pixels, by kind of asset."""
    return {kind: media.decode_recipe(settings) for kind, media in kinds.items()}


def stage(
    *,
    catalog: ObjectStore,
    work: ObjectStore,
    decoder: Decoder,
    kinds: Kinds,
    settings: Decode,
    batch: int = 32,
) -> Stage[Asset]:
    """Read each asset as the plan saw it, open it, and store what is seen under its content's
    name."""
    return Stage(
        name="decode",
        recipes=recipes(kinds, settings),
        reads={"changes": "plan"},
        writes={"segments": Segment},
        items=lambda shard, _: assets_of(shard),
        id_of=lambda asset: asset.asset_id,
        work=Decoding(catalog, work, decoder, settings).work_on,
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
    ) -> None:
        self._catalog, self._work, self._decoder = catalog, work, decoder
        self._settings = settings

    def work_on(self, assets: Sequence[Asset], run: ShardRun) -> list[Outcome]:
        """The segments of each asset, or why there are none. No more files lie on the disk at a
        time than take the room of the largest video allowed."""
        outcomes: list[Outcome] = []
        for few in constrained_batches(
            assets,
            self._settings.most_video_bytes,
            get_len=lambda asset: asset.source.size,
            strict=False,
        ):
            outcomes += self._work_on(few, run)
        return outcomes

    def _work_on(self, assets: Sequence[Asset], run: ShardRun) -> list[Outcome]:
        bad: dict[AssetId, BadRecord] = {}
        good: list[tuple[Asset, Path]] = []
        kept: dict[AssetId, Future[list[Segment]]] = {}
        with (
            own_folder() as folder,
            ThreadPoolExecutor(READERS) as readers,
        ):
            paths = [Path(folder, asset.asset_id) for asset in assets]
            fetched = readers.map(self._fetch, assets, paths)
            for asset, path, failure in zip(assets, paths, fetched, strict=True):
                if failure:
                    bad[asset.asset_id] = failure
                else:
                    good.append((asset, path))
                    run.tally["bytes_read"] += asset.source.size
            opened = self._decoder.decode([(asset.kind, path) for asset, path in good])
            for (asset, path), decoded in zip(good, opened, strict=True):
                if isinstance(decoded, BadRecord):
                    bad[asset.asset_id] = decoded
                else:
                    kept[asset.asset_id] = readers.submit(
                        self._keep, asset, path, decoded, run.recipe
                    )
                    self._tell(asset, decoded, run)
            return [bad.get(asset.asset_id) or kept[asset.asset_id].result() for asset in assets]

    def _fetch(self, asset: Asset, path: Path) -> BadRecord | None:
        """Download the asset, as the plan saw it, to a file: a video may not fit into memory."""
        limit = "most_video_bytes" if asset.kind == "video" else "most_bytes"
        if asset.source.size > getattr(self._settings, limit):
            return MediaTooLarge(
                f"{asset.source.key} has {asset.source.size} bytes, over decode.{limit}."
            )
        if asset.source.size == 0:
            return UnreadableMedia(f"{asset.source.key} is empty.")
        return fetch(self._catalog, asset.source, path)

    def _tell(self, asset: Asset, decoded: Sequence[Decoded], run: ShardRun) -> None:
        """Of a video that could be read in part."""
        missing = sum(seen.missing for seen in decoded)
        if missing:
            run.tally["videos_in_part"] += 1
            log.warning("decode.in_part", key=asset.source.key, seconds_missing=missing)

    def _keep(
        self, asset: Asset, path: Path, decoded: Sequence[Decoded], recipe: RecipeId
    ) -> list[Segment]:
        with path.open("rb") as file:
            source = hashlib.file_digest(file, "sha256").hexdigest()
        segments = []
        for seen in decoded:
            pixels = pixels_id(source_sha256=source, where=seen.where, decode_recipe=recipe)
            self._store(pixels, seen)
            segment = Segment(
                segment_id=segment_id(asset.asset_id, seen.where),
                asset_id=asset.asset_id,
                product_id=asset.product_id,
                where=seen.where,
                pixels=pixels,
                text=seen.text,
                missing=seen.missing,
            )
            segments.append(segment)
        return segments

    def _store(self, pixels: PixelsId, seen: Decoded) -> None:
        """Frames first, so that they are there wherever the picture is."""
        there = self._work.head(pixels_key(pixels))
        # what is older, expire may be about to take
        if there is None or there.last_modified < datetime.now(UTC) - FRESH:
            if seen.frames:
                self._work.put(frames_key(pixels), dump(seen.frames, Frame))
            self._work.put(pixels_key(pixels), seen.jpeg)


def assets_of(shard: Shard) -> list[Asset]:
    """The shard's changes that are not removals."""
    return [change for change in shard.read("changes", Change) if isinstance(change, Asset)]
