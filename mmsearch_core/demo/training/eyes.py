"""Teaches the vision tower of the tiny Qwen3-VL to tell looks apart before it learns to speak of
them.

A vision tower alone sees ten pictures in the time that the whole model needs for one. Linear heads
on what the text tower will read (the merged patches, and those of each deepstack level) name the
attributes and are thrown away. ``python -m mmsearch_core.demo.training.eyes --help``
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmsearch_core.demo.training.loop import arguments, begin, fit, with_pictures
from mmsearch_core.demo.training.pictures import Pool, pool
from mmsearch_core.demo.training.samples import corpus
from mmsearch_core.demo.training.vlm_parts import SIDE, make_model, make_processor, train_tokenizer
from mmsearch_core.demo.vocabulary import ATTRIBUTES, TERMS

PATCH, MERGE = 16, 2
CELLS = (SIDE // PATCH // MERGE) ** 2  # merged patches a picture


class Heads(nn.Module):
    """One guess of every attribute from the merged patches by place, one from the mean of the
    deepstack levels."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        sizes = [len(TERMS[name]) for name in ATTRIBUTES]
        self.sizes = sizes
        self.placed = nn.Linear(CELLS * width, sum(sizes))
        self.pooled = nn.ModuleList(nn.Linear(width, sum(sizes)) for _ in range(levels))

    def forward(self, seen: Any) -> list[tuple[Tensor, ...]]:
        """Logits by attribute; the first guess is the one that counts."""
        merged = seen.pooler_output
        guesses = [self.placed(merged.reshape(-1, CELLS * merged.shape[-1]))]
        for head, level in zip(self.pooled, seen.deepstack_features, strict=True):
            guesses.append(head(level.reshape(-1, CELLS, level.shape[-1]).mean(1)))
        return [guess.split(self.sizes, dim=-1) for guess in guesses]


def patches(pictures: Tensor) -> Tensor:
    """As Qwen's image processor cuts them: (pictures * patches, 3 * 2 * 16 * 16), blocks that merge
    side by side."""
    count, cells = len(pictures), SIDE // PATCH // MERGE
    pixels = pictures.float().permute(0, 3, 1, 2) / 127.5 - 1
    cut = pixels.reshape(count, 3, cells, MERGE, PATCH, cells, MERGE, PATCH).permute(
        0, 2, 5, 3, 6, 1, 4, 7
    )
    # a picture is a film of two equal frames
    twice = cut.unsqueeze(6).expand(-1, -1, -1, -1, -1, -1, 2, -1, -1)
    return twice.reshape(count * CELLS * MERGE * MERGE, -1)


def targets(data: Pool) -> Tensor:
    """The number of each picture's value, by attribute."""
    numbers = {
        name: {value: place for place, value in enumerate(TERMS[name])} for name in ATTRIBUTES
    }
    return torch.tensor(
        [[numbers[name][getattr(look, name)] for name in ATTRIBUTES] for look in data.looks]
    )


def look_at(visual: Any, pictures: Tensor) -> Any:
    """What the vision tower makes of a batch."""
    side = SIDE // PATCH
    grid = torch.tensor([[1, side, side]] * len(pictures), device=pictures.device)
    return visual(patches(pictures), grid_thw=grid)


def moved(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """The batch mirrored at times and shifted by some pixels: the same photographs last longer."""
    if rng.random() < 0.5:
        pictures = pictures.flip(2)
    return pictures.roll(tuple(int(shift) for shift in rng.integers(-5, 6, 2)), (1, 2))


def right(visual: Any, heads: Heads, data: Pool, device: torch.device) -> dict[str, float]:
    """The share of pictures whose attribute the first guess names."""
    pictures, truth, guesses = torch.from_numpy(data.pictures), targets(data), []
    with torch.inference_mode():
        for start in range(0, len(pictures), 200):
            first = heads(look_at(visual, pictures[start : start + 200].to(device)))[0]
            guesses.append(torch.stack([part.argmax(-1) for part in first], dim=-1).cpu())
    hits = (torch.cat(guesses) == truth).float().mean(0)
    return {name: round(float(hit), 4) for name, hit in zip(ATTRIBUTES, hits, strict=True)}


def train(args: argparse.Namespace) -> None:
    """Cross-entropy on the attributes; keeps ``eyes.pt``."""
    device = begin(args)
    visual = make_model(make_processor(train_tokenizer(corpus(args.seed))).tokenizer).model.visual
    heads = Heads(visual.config.out_hidden_size, len(visual.deepstack_visual_indexes))
    data = pool(args.data, "train", args.pictures, seed=args.seed, kept=args.kept)
    test = pool(args.data, "t10k", 800, seed=args.seed, kept=args.kept)
    pictures, truth = torch.from_numpy(data.pictures), targets(data)
    model = nn.ModuleList([visual, heads]).to(device)
    weights = torch.tensor([1.0, *[0.3] * len(heads.pooled)], device=device)  # by guess

    def step_of(_: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        places = rng.integers(0, len(pictures), args.batch)
        losses = [
            nn.functional.cross_entropy(part, truth[places, place].to(device), label_smoothing=0.03)
            for guess in heads(look_at(visual, moved(pictures[places], rng).to(device)))
            for place, part in enumerate(guess)
        ]
        loss = torch.stack(losses).reshape(-1, len(ATTRIBUTES)).sum(1) @ weights
        return loss, {"loss": float(loss.detach())}

    def keep() -> None:
        torch.save(
            {name: value.cpu() for name, value in visual.state_dict().items()}, args.out / "eyes.pt"
        )
        print(json.dumps({"held_out": right(visual, heads, test, device)}), flush=True)

    fit(model, step_of, keep, args)


def main() -> None:
    """The command line."""
    parser = arguments(__doc__, steps=1500, batch=128, rate=1.5e-3, every=250)
    train(with_pictures(parser, pictures=20_000).parse_args())


if __name__ == "__main__":
    main()
