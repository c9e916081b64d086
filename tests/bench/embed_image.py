"""The stage embed_image, whole, against a bare loop of open_clip over pictures that are decoded already."""

import io
import json
import tempfile
from pathlib import Path
from typing import Any

from mmsearch_core.records.segment import Segment
from mmsearch_core.settings import Settings
from mmsearch_core.shards import Shard, run_stage
from mmsearch_core.stages.embed_image import pictures
from mmsearch_core.testing.memory_memo import MemoryMemo
from mmsearch_core.wiring import Runtime
from tests.bench.parts import SIDE, decoded_shards, shop
from tests.bench.row import Row, compare, peak_memory_mb, seconds, threads
from tests.servers import running

PICTURES = 192
BATCH = 32


def embed_image_vs_open_clip() -> list[Row]:
    """Ours reads from S3, decodes, embeds, remembers, writes Parquet and a report; theirs only preprocesses and
    embeds. ViT-B-32, random weights, the same batch size and threads."""
    import torch

    torch.set_num_threads(threads())
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        runtime = shop(with_vit_b_32(settings, Path(folder) / "vit-b-32"), PICTURES)
        (shard,) = decoded_shards(runtime)
        model, preprocess, _ = runtime.clip._parts  # type: ignore[attr-defined]
        decoded = opened(runtime, shard)

        def ours() -> None:
            again(runtime, shard)

        def reference() -> None:
            with torch.inference_mode():
                for start in range(0, len(decoded), BATCH):
                    tensors = torch.stack([preprocess(picture) for picture in decoded[start : start + BATCH]])
                    model.encode_image(tensors, normalize=True).numpy()

        work = f"ViT-B-32, {len(decoded)} pictures of {SIDE} px, batch {BATCH}, {threads()} threads"
        return [compare("embed_image_vs_open_clip", ours, reference, items=len(decoded), unit="pictures/s", work=work)]


def memory_flat() -> list[Row]:
    """The most memory that the stage holds over ten times the pictures, against that over the pictures once."""
    count = 60
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        runtime = shop(settings, 10 * count)
        shards = decoded_shards(runtime)
        again(runtime, shards[0])
        first = peak_memory_mb()
        spent = seconds(lambda: [again(runtime, shard) for shard in shards])
        last = peak_memory_mb()
    rate = f"{10 * count / spent:.0f} pictures/s"
    return [
        Row(
            name="memory_flat",
            ours=last,
            reference=first,
            ratio=round(last / first, 3),
            unit="MB",
            work=f"embed_image over {10 * count} pictures against {settings.shards.size} ({rate})",
            peak_memory_mb=last,
        )
    ]


def again(runtime: Runtime, shard: str) -> None:
    """The stage as if it had never run: no report, nothing remembered."""
    runtime.work.delete(f"{shard}/reports/embed_image.json")
    vars(runtime)["memo"] = MemoryMemo()
    run_stage(runtime.stage("embed_image"), shard, store=runtime.work, settings=runtime.settings.shards)


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
    save_file(open_clip.create_model("ViT-B-32").state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": open_clip.get_model_config("ViT-B-32"), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    models = settings.models.model_copy(update={"clip": f"local-dir:{folder}", "batch": BATCH})
    return settings.model_copy(update={"models": models})
