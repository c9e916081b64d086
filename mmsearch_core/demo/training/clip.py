"""Trains the tiny bilingual CLIP: ``python -m mmsearch_core.demo.training.clip --help``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from mmsearch_core.demo.language import caption, standardize, typed, wish_for
from mmsearch_core.demo.training.loop import arguments, begin, fit, with_pictures
from mmsearch_core.demo.training.pictures import pool
from mmsearch_core.demo.training.words import train_words
from mmsearch_core.demo.vocabulary import Look

SIDE = 64


def write_config(folder: Path, vocabulary: int) -> None:
    """The configuration that open_clip reads from a local folder."""
    config = {
        "model_cfg": {
            "embed_dim": 128,
            "vision_cfg": {
                "image_size": SIDE,
                "layers": 4,
                "width": 192,
                "head_width": 32,
                "patch_size": 16,
            },
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
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "resize_mode": "squash",
        },
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1))


def phrase(look: Look, rng: np.random.Generator) -> str:
    """A text that fits the look: a caption, a standard wording or what a shopper types, in either
    language."""
    locale = "en" if rng.random() < 0.5 else "zh"
    if rng.random() < 0.5:
        return caption(look)[locale]
    wish = wish_for(look, rng)
    if any(constraint.exclude or len(constraint.values) > 1 for constraint in wish.constraints):
        return caption(look)[locale]
    return (
        typed(wish, locale, rng)
        if rng.random() < 0.5
        else standardize("", wish.constraints).wording[locale]
    )


def sameness(looks: list[Look]) -> Any:
    """Which pictures of a batch show the same look: these are not each other's negatives."""
    ids = torch.tensor([hash((look.category, look.color, look.pattern)) for look in looks])
    return ids[:, None] == ids[None, :]


def train(args: argparse.Namespace) -> None:
    """Contrastive training, captions against pictures; keeps float16 weights."""
    import open_clip
    from safetensors.torch import save_file

    device = begin(args)
    write_config(args.out, train_words(args.out, seed=args.seed))
    config = json.loads((args.out / "open_clip_config.json").read_text())["model_cfg"]
    model = open_clip.CLIP(**config).to(device)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{args.out}")
    data = pool(args.data, "train", args.pictures, seed=args.seed + 1, side=SIDE, kept=args.kept)
    pixels = torch.from_numpy(data.pictures).permute(0, 3, 1, 2)

    def step_of(_: int, rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        places = rng.integers(0, len(data.looks), args.batch)
        looks = [data.looks[place] for place in places]
        pictures = model.encode_image(pixels[places].to(device).float() / 127.5 - 1, normalize=True)
        texts = model.encode_text(
            tokenizer([phrase(look, rng) for look in looks]).to(device), normalize=True
        )
        logits = model.logit_scale.exp().clamp(max=50) * pictures @ texts.T
        others = sameness(looks) & ~torch.eye(len(looks), dtype=torch.bool)
        logits = logits.masked_fill(others.to(device), -1e4)
        truth = torch.arange(len(looks), device=device)
        loss = (cross_entropy(logits, truth) + cross_entropy(logits.T, truth)) / 2
        return loss, {"loss": float(loss.detach())}

    def keep() -> None:
        weights = {
            name: value.half().cpu().contiguous() for name, value in model.state_dict().items()
        }
        save_file(weights, args.out / "open_clip_model.safetensors")

    fit(model, step_of, keep, args, decay=0.1)


def main() -> None:
    """The command line."""
    train(
        with_pictures(
            arguments(__doc__, steps=1500, batch=192, rate=1e-3, every=250), pictures=20_000
        ).parse_args()
    )


if __name__ == "__main__":
    main()
