"""The loop that every training shares: AdamW, one cycle of the rate, a log, a checkpoint to
continue from."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

# (step, random numbers of this step) -> (loss to lower, figures to show)
Step = Callable[[int, np.random.Generator], tuple["torch.Tensor", Mapping[str, float]]]


def arguments(
    description: str | None, *, steps: int, batch: int, rate: float, every: int
) -> argparse.ArgumentParser:
    """The options that every training has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the checkpoint and the model"
    )
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument(
        "--rate", type=float, default=rate, help="the highest learning rate of the cycle"
    )
    parser.add_argument("--every", type=int, default=every, help="steps between two checkpoints")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=7)
    return parser


def with_pictures(parser: argparse.ArgumentParser, *, pictures: int) -> argparse.ArgumentParser:
    """The options of a training that sees pictures."""
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with Fashion-MNIST's idx files"
    )
    parser.add_argument("--pictures", type=int, default=pictures)
    parser.add_argument(
        "--kept", type=Path, help="folder that keeps the drawn pictures for other runs"
    )
    return parser


def begin(args: argparse.Namespace) -> torch.device:
    """Seeds, threads, and the GPU where there is one."""
    import torch

    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(
    model: torch.nn.Module,
    step_of: Step,
    keep: Callable[[], None],
    args: argparse.Namespace,
    *,
    decay: float = 0.05,
) -> None:
    """Train ``model``; ``keep`` saves what is shipped, at each checkpoint. A finished run returns
    at once."""
    import torch

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=args.rate, weight_decay=decay, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.rate, total_steps=args.steps + 1, pct_start=0.05
    )
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule}
    checkpoint, first = args.out / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        first = saved["step"]
    started, shown = time.monotonic(), dict[str, float]()
    for step in range(first, args.steps):
        loss, figures = step_of(step, np.random.default_rng((args.seed, step)))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        shown |= {
            name: 0.95 * shown.get(name, value) + 0.05 * value for name, value in figures.items()
        }
        if (step + 1) % 25 == 0:
            a_step = (time.monotonic() - started) / (step + 1 - first)
            rounded = {name: round(value, 4) for name, value in shown.items()}
            print(
                json.dumps({"step": step + 1, "seconds_a_step": round(a_step, 3), **rounded}),
                flush=True,
            )
        if (step + 1) % args.every == 0 or step + 1 == args.steps:
            keep()
            made = {name: part.state_dict() for name, part in parts.items()} | {"step": step + 1}
            torch.save(made, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
