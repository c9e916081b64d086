"""The stage embed_image, whole, against a bare loop of open_clip over pictures that are decoded
already."""

import io
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmsearch_core.records.segment import Segment
from mmsearch_core.settings import Settings
from mmsearch_core.shards.loop import run_stage
from mmsearch_core.shards.shard import Shard
from mmsearch_core.stages.index.embed_image import pictures
from mmsearch_core.wiring.batches import Runtime
from tests.bench.parts import SIDE, decoded_shards, shop
from tests.bench.row import Row, compare, peak_memory_of_task, threads
from tests.servers import running

PICTURES = 96
BATCH = 32
FEW, MANY = 60, 600


def embed_image_vs_open_clip() -> list[Row]:
    """Ours asks the memo, reads from S3, decodes, preprocesses, embeds, remembers, writes Parquet
    and a report; theirs preprocesses and embeds what lies decoded in memory. ViT-B-32, random
    weights, the same batch size and threads."""
    import torch

    torch.set_num_threads(threads())
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        runtime = shop(with_vit_b_32(settings, Path(folder) / "vit-b-32"), PICTURES)
        (shard,) = decoded_shards(runtime)
        model, preprocess, _ = runtime.clip._parts  # type: ignore[attr-defined]
        decoded = opened(runtime, shard)

        def ours() -> None:
            run_stage(
                runtime.stage("embed_image"), shard, store=runtime.work, settings=settings.shards
            )

        def reference() -> None:
            with torch.inference_mode():
                for start in range(0, len(decoded), BATCH):
                    tensors = torch.stack(
                        [preprocess(picture) for picture in decoded[start : start + BATCH]]
                    )
                    model.encode_image(tensors, normalize=True).numpy()

        return compare(
            "embed_image_vs_open_clip",
            ours,
            reference,
            items=len(decoded),
            unit="pictures",
            work=(
                f"ViT-B-32, {len(decoded)} pictures of {SIDE} px, batch {BATCH},"
                f" {threads()} threads of torch each"
            ),
            before=lambda: forget(runtime, shard),
        )


def memory_flat() -> list[Row]:
    """The most memory that the task embed_image holds over a shard of ten times the pictures,
    against that over one."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        runtime = shop(settings, MANY)
        peaks = []
        for size in (FEW, MANY):
            sized = settings.model_copy(
                update={"shards": settings.shards.model_copy(update={"size": size})}
            )
            shard = decoded_shards(Runtime(sized), f"shards of {size}")[0]
            forget(runtime, shard)
            peaks.append(peak_memory_of_task(Path(folder), "embed_image", shard))
        few, many = peaks
    return [
        Row(
            name="memory_flat",
            ours=many,
            reference=few,
            ratio=round(many / few, 3),
            unit="MB",
            work=(
                f"tasks.embed_image over {MANY} pictures of {SIDE} px against {FEW}, shipped model"
            ),
            peak_memory_mb=many,
        )
    ]


def forget(runtime: Runtime, shard: str) -> None:
    """As if the stage had never run: no report, nothing remembered."""
    runtime.work.delete(f"{shard}/reports/embed_image.json")
    with ThreadPoolExecutor(8) as deleting:
        list(deleting.map(runtime.work.delete, [found.key for found in runtime.work.list("memo/")]))


def opened(runtime: Runtime, shard: str) -> list[Any]:
    """The shard's pictures, decoded."""
    from PIL import Image

    names = [segment.pixels for segment in Shard(runtime.work, shard).read("segments", Segment)]
    return [Image.open(io.BytesIO(data)).convert("RGB") for data in pictures(runtime.work, names)]


def with_vit_b_32(settings: Settings, folder: Path) -> Settings:
    """Settings whose CLIP is a ViT-B-32 of random weights."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir()
    save_file(
        open_clip.create_model("ViT-B-32").state_dict(), folder / "open_clip_model.safetensors"
    )
    config = {"model_cfg": open_clip.get_model_config("ViT-B-32"), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    models = settings.models.model_copy(update={"clip": f"local-dir:{folder}", "batch": BATCH})
    return settings.model_copy(update={"models": models})
