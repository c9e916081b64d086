"""Trains the tiny bilingual CLIP: ``python -m mmsearch_core.demo.training.clip --help``."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmsearch_core.demo.language import caption, standardize, typed, wish_for
from mmsearch_core.demo.training.pictures import pool
from mmsearch_core.demo.training.words import train_words
from mmsearch_core.demo.vocabulary import Look

SIDE = 64


def write_config(folder: Path, vocabulary: int) -> None:
    """The configuration that open_clip reads from a local folder."""
    config = {
        "model_cfg": {
            "embed_dim": 128,
            "vision_cfg": {"image_size": SIDE, "layers": 4, "width": 192, "head_width": 32, "patch_size": 16},
            "text_cfg": {
                "context_length": 24,
                "vocab_size": vocabulary,
                "width": 128,
                "heads": 4,
                "layers": 3,
                "hf_tokenizer_name": "the folder itself",
                "tokenizer_kwargs": {"clean": "whitespace"},
                "pad_id": 0,
                "pool_type": "argmax",
                "no_causal_mask": False,
            },
        },
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "resize_mode": "squash"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1))


def phrase(look: Look, rng: np.random.Generator) -> str:
    """A text that fits the look: a caption, a standard wording or what a shopper types, in either language."""
    locale = "en" if rng.random() < 0.5 else "zh"
    if rng.random() < 0.5:
        return caption(look)[locale]
    wish = wish_for(look, rng)
    if any(constraint.exclude or len(constraint.values) > 1 for constraint in wish.constraints):
        return caption(look)[locale]
    return typed(wish, locale, rng) if rng.random() < 0.5 else standardize("", wish.constraints).wording[locale]


def sameness(looks: list[Look]) -> Any:
    """Which pictures of a batch show the same look: these are not each other's negatives."""
    ids = torch.tensor([hash((look.category, look.color, look.pattern)) for look in looks])
    return ids[:, None] == ids[None, :]


def train(args: argparse.Namespace) -> None:
    """Contrastive training, captions against pictures; saves float16 weights at the end and every 500 steps."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    vocabulary = train_words(args.out, seed=args.seed)
    write_config(args.out, vocabulary)
    config = json.loads((args.out / "open_clip_config.json").read_text())["model_cfg"]
    model = open_clip.CLIP(**config)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{args.out}")
    data = pool(args.data, "train", args.pictures, seed=args.seed + 1, side=SIDE)
    pixels = torch.from_numpy(data.pictures).permute(0, 3, 1, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=0.1, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, total_steps=args.steps + 1, pct_start=0.05)
    started, shown = time.time(), 0.0
    for step in range(args.steps):
        rng = np.random.default_rng((args.seed, step))
        places = rng.integers(0, len(data.looks), args.batch)
        looks = [data.looks[place] for place in places]
        pictures = model.encode_image(pixels[places].float() / 127.5 - 1, normalize=True)
        texts = model.encode_text(tokenizer([phrase(look, rng) for look in looks]), normalize=True)
        logits = model.logit_scale.exp().clamp(max=50) * pictures @ texts.T
        same = sameness(looks)
        logits = logits.masked_fill(same & ~torch.eye(len(looks), dtype=torch.bool), -1e4)
        truth = torch.arange(len(looks))
        loss = (
            torch.nn.functional.cross_entropy(logits, truth) + torch.nn.functional.cross_entropy(logits.T, truth)
        ) / 2
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        shown = 0.95 * shown + 0.05 * float(loss.detach()) if step else float(loss.detach())
        if (step + 1) % 50 == 0:
            print(json.dumps({"step": step + 1, "seconds": round(time.time() - started), "loss": shown}), flush=True)
        if (step + 1) % 500 == 0 or step + 1 == args.steps:
            weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
            save_file(weights, args.out / "open_clip_model.safetensors")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with Fashion-MNIST's idx files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args)


if __name__ == "__main__":
    main()
