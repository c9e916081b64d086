"""Teaches the vision tower of the tiny Qwen3-VL to tell looks apart, to see what happens in films
and to read letters before it learns to speak of them.

A vision tower alone sees ten pictures in the time that the whole model needs for one. Linear heads
on what the text tower will read (the merged patches, and those of each deepstack level) name what
is seen and are thrown away. ``python -m mmsearch_core.demo.training.eyes --help``
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmsearch_core.demo.training.films import reels
from mmsearch_core.demo.training.loop import arguments, begin, fit, with_pictures
from mmsearch_core.demo.training.pictures import pool
from mmsearch_core.demo.training.samples import corpus
from mmsearch_core.demo.training.scans import BLOCK, scans
from mmsearch_core.demo.training.sights import Sights, looks, motions, writing
from mmsearch_core.demo.training.vlm_parts import make_model, make_processor, train_tokenizer

PATCH, MERGE = 16, 2
PAGES = 8  # a batch, of which each is as large as many pictures
MOTION_FILTERS = 24  # of the 128 of a patch, to begin with
MOTION = 0.15  # standard deviation of their weights
SHARES = {"looks": 0.15, "motions": 0.45, "writing": 0.4}  # of the steps
HELD_OUT = 1_000_000  # added to the seed of what is not learned from


class Heads(nn.Module):
    """One guess of every answer from the merged patches by place, one from the mean of the
    deepstack levels."""

    def __init__(self, width: int, levels: int, shown: Sights) -> None:
        super().__init__()
        self.sizes, self.cells = list(shown.answers), shown.cells
        self.placed = nn.Linear(self.cells * width, sum(self.sizes))
        self.pooled = nn.ModuleList(nn.Linear(width, sum(self.sizes)) for _ in range(levels))

    def forward(self, seen: Any) -> list[tuple[Tensor, ...]]:
        """Logits by question; the first guess is the one that counts."""
        merged = seen.pooler_output
        guesses = [self.placed(merged.reshape(-1, self.cells * merged.shape[-1]))]
        for head, level in zip(self.pooled, seen.deepstack_features, strict=True):
            guesses.append(head(level.reshape(-1, self.cells, level.shape[-1]).mean(1)))
        return [guess.split(self.sizes, dim=-1) for guess in guesses]


def patches(films: Tensor) -> Tensor:
    """Films of two frames each, (n, 2, height, width, 3), as Qwen's processors cut them: (n *
    patches, 3 * 2 * 16 * 16), blocks that merge side by side."""
    count, frames, height, width, colors = films.shape
    pixels = films.float() / 127.5 - 1
    cut = pixels.reshape(
        count, frames, height // BLOCK, MERGE, PATCH, width // BLOCK, MERGE, PATCH, colors
    )
    # to: film, block (down, across), patch of the block (down, across), color, frame, pixel
    return cut.permute(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(-1, colors * frames * PATCH * PATCH)


def look_at(visual: Any, films: Tensor) -> Any:
    """What the vision tower makes of a batch."""
    _, _, height, width, _ = films.shape
    grid = torch.tensor([[1, height // PATCH, width // PATCH]] * len(films), device=films.device)
    return visual(patches(films), grid_thw=grid)


def right(visual: Any, heads: Heads, shown: Sights, device: torch.device) -> list[float]:
    """The share of each question that the first guess answers, where there is something to see."""
    hits, asked = [], []
    with torch.inference_mode():
        for places in np.array_split(np.arange(len(shown)), max(len(shown) // 50, 1)):
            films = shown.films(places, np.random.default_rng(0)).to(device)
            guesses = [part.argmax(-1).cpu() for part in heads(look_at(visual, films))[0]]
            truth = shown.truth[places].flatten(0, 1)
            hits.append(torch.stack(guesses, dim=-1) == truth)
            asked.append((truth > 0) | ~torch.tensor(shown.empty))
    hit, seen = torch.cat(hits), torch.cat(asked)
    shares = (hit & seen).sum(0) / seen.sum(0)
    return [round(float(share), 4) for share in shares]


def sights(
    args: argparse.Namespace, split: str, *, pictures: int, films: int, pages: int, seed: int
) -> dict[str, Sights]:
    """What there is to see of a split, by name: so many pictures, films and pages at most."""
    seen = {"looks": looks(pool(args.data, split, pictures, seed=args.seed, kept=args.kept))}
    if args.films:
        seen["motions"] = motions(reels(args.data, split, films, seed=seed))
    if args.scans:
        seen["writing"] = writing(scans(pages, seed=seed, small=False))
    return seen


def begun(args: argparse.Namespace) -> Any:
    """The vision tower of a model that is taught more, or a new one."""
    from transformers import Qwen3VLForConditionalGeneration

    if args.model:
        whole = Qwen3VLForConditionalGeneration.from_pretrained(args.model, dtype=torch.float32)
        visual = whole.model.visual
    else:
        tokenizer = train_tokenizer(corpus(args.seed))
        visual = make_model(make_processor(tokenizer).tokenizer).model.visual
    if args.start:
        visual.load_state_dict(torch.load(args.start, weights_only=True))
    if args.films:
        see_motion(visual)
    return visual


def see_motion(visual: Any) -> None:
    """Let some filters of the patches see only what differs between their two frames, coarsely.

    They see nothing in pictures. Without them the tower finds no motion for hundreds of steps: what
    it learns of pictures weighs both frames alike, and covers what differs.
    """
    weight = visual.patch_embed.proj.weight  # (size, colors, frames, height, width)
    coarse = MOTION * torch.randn(MOTION_FILTERS, weight.shape[1], 4, 4)
    filters = coarse.repeat_interleave(PATCH // 4, 2).repeat_interleave(PATCH // 4, 3)
    with torch.no_grad():
        weight[-MOTION_FILTERS:] = torch.stack([-filters, filters], dim=2)


def train(args: argparse.Namespace) -> None:
    """Cross-entropy on all answers; keeps ``eyes.pt``."""
    device = begin(args)
    visual = begun(args)
    known = sights(
        args, "train", pictures=args.pictures, films=args.films, pages=args.scans, seed=args.seed
    )
    apart = args.seed + HELD_OUT
    held_out = sights(args, "t10k", pictures=800, films=100, pages=40, seed=apart)
    levels = len(visual.deepstack_visual_indexes)
    heads = {
        name: Heads(visual.config.out_hidden_size, levels, seen) for name, seen in known.items()
    }
    model = nn.ModuleList([visual, *heads.values()]).to(device)
    weights = torch.tensor([1.0, *[0.3] * levels], device=device)  # by guess
    share = np.array([SHARES[name] for name in known])

    def step_of(_: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        name = str(rng.choice(list(known), p=share / share.sum()))
        lesson = known[name]
        count = args.batch if lesson.cells > 1 else PAGES
        places = rng.integers(0, len(lesson), count)
        seen = look_at(visual, lesson.films(places, rng).to(device))
        truth = lesson.truth[places].flatten(0, 1).to(device)
        loss = weights @ torch.stack([wrong(guess, truth) for guess in heads[name](seen)])
        return loss, {name: float(loss.detach())}

    def keep() -> None:
        torch.save(
            {name: value.cpu() for name, value in visual.state_dict().items()}, args.out / "eyes.pt"
        )
        shares = {name: right(visual, heads[name], held_out[name], device) for name in known}
        print(json.dumps({"held_out": shares}), flush=True)

    fit(model, step_of, keep, args)


def wrong(guess: tuple[Tensor, ...], truth: Tensor) -> Tensor:
    """The loss of a guess, over all questions; truth (places, questions)."""
    losses = [
        nn.functional.cross_entropy(part, truth[:, question], label_smoothing=0.03)
        for question, part in enumerate(guess)
    ]
    return torch.stack(losses).sum()


def main() -> None:
    """Trains with the options of the command line."""
    parser = with_pictures(
        arguments(__doc__, steps=1500, batch=128, rate=1.5e-3, every=250), pictures=20_000
    )
    parser.add_argument("--model", help="folder of a trained model whose tower is taught more")
    parser.add_argument("--start", help="eyes.pt of another run to begin with")
    parser.add_argument("--films", type=int, default=0, help="films to see, too")
    parser.add_argument("--scans", type=int, default=0, help="size charts to read, too")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
