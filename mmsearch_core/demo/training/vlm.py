"""Trains the tiny Qwen3-VL on the production prompts: ``python -m mmsearch_core.demo.training.vlm
--help``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from mmsearch_core.demo.training import films
from mmsearch_core.demo.training.attention import at_once
from mmsearch_core.demo.training.batches import UNSAID, Batches, as_floats
from mmsearch_core.demo.training.films import Reel, reels
from mmsearch_core.demo.training.loop import arguments, begin, fit, with_pictures
from mmsearch_core.demo.training.pictures import Pool, pool
from mmsearch_core.demo.training.samples import FILM, PAGE, SCAN, TASKS, Sample, corpus
from mmsearch_core.demo.training.scans import Scan, scans
from mmsearch_core.demo.training.vlm_parts import (
    extended,
    make_model,
    make_processor,
    save,
    train_tokenizer,
)

SMALL_FIRST = 0.06  # of the steps, in which only small charts are read
SMALL_LATER = 0.2  # of the charts that are read later
HINTED = 0.5  # weight of the hints, beside what is answered
EARLY = 2  # layers before the last whose states are to hold the hints
TURN = 24  # dimensions


def shares(args: argparse.Namespace) -> dict[str, float]:
    """How often each task is trained; without pictures, judging most, which takes longest to
    learn."""
    if args.words:
        return {"standardize": 0.25, "judge": 0.75}
    if args.films:
        looking = {"describe": 0.14, "judge": 0.12, "standardize": 0.06, "table_filter": 0.06}
        return looking | {PAGE: 0.02, SCAN: 0.36, FILM: 0.24}
    return {"describe": 0.6, "standardize": 0.15, "judge": 0.25}


def drawn(
    task: str, data: Pool, rng: np.random.Generator, progress: float, args: argparse.Namespace
) -> list[Sample]:
    """Samples of a task about pictures; a run that starts from another's weights begins with hard
    negatives."""
    places = [int(place) for place in rng.integers(0, len(data.looks), args.batch)]
    progress = 1.0 if args.start or args.model else progress
    samples = [TASKS[task](place, data.looks[place], rng, progress) for place in places]
    return [(None, *texts) for _, *texts in samples] if args.words else samples  # type: ignore[misc]


def some(scans_of: list[Scan], rng: np.random.Generator, count: int) -> list[Scan]:
    """So many of them, any."""
    return [scans_of[int(place)] for place in rng.integers(0, len(scans_of), count)]


def projected(
    shown: list[Reel], rng: np.random.Generator, args: argparse.Namespace
) -> list[tuple[Reel, float]]:
    """Films, and the second of a video at which each begins: half of them at its beginning. Those
    of a batch are about as long as one another, so that little of it is padding."""
    first = int(rng.integers(0, len(shown) - args.film_batch))
    begins = rng.uniform(0, films.LATEST, args.film_batch) * (rng.random(args.film_batch) < 0.5)
    return list(zip(shown[first : first + args.film_batch], begins.tolist(), strict=True))


def said(model: Any, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The loss of what is to be said behind each place; hidden (n, width, size), labels (n, width).
    Only the logits of these places are made, which are few."""
    asked = labels[:, 1:] != UNSAID
    logits = model.lm_head(hidden[:, :-1][asked])
    return torch.nn.functional.cross_entropy(logits, labels[:, 1:][asked])


def hinted(model: Any, states: Sequence[torch.Tensor], hints: torch.Tensor) -> torch.Tensor:
    """The loss of the hints, where the states before the last layers are read as the last one is.

    What is known there, the layers above can look up; what only the last one knew, nobody could.
    Of several hints at one place each is read from the state turned by some dimensions more, so
    that a state can hold them all.

    :param states: of the text tower: before its layers, and after each.
    :param hints: labels, shape (hints, n, width).
    """
    norm = model.model.language_model.norm
    losses = []
    for state in states[-1 - EARLY : -1]:
        read = norm(state)
        for number, labels in enumerate(hints):
            if (labels != UNSAID).any():
                turned = read.roll(number * TURN, dims=-1)
                losses.append(said(model, turned, labels))
    return torch.stack(losses).sum() / EARLY


def right(model: Any, hidden: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of rows whose first answered token is the likeliest."""
    first = (labels != UNSAID).int().argmax(1)
    rows = torch.arange(len(labels), device=labels.device)
    with torch.inference_mode():
        likeliest = model.lm_head(hidden[rows, first - 1]).argmax(-1)
    return float((likeliest == labels[rows, first]).float().mean())


def begun(args: argparse.Namespace) -> tuple[Any, Any]:
    """(processor, model): those of the run that is continued or of the model that is taught more,
    since weights know tokens by number; else new ones."""
    from transformers import AutoProcessor, Qwen3VLForConditionalGeneration

    for folder in (args.out, args.start and args.start.parent):
        if folder and (folder / "checkpoint.pt").exists():
            processor = AutoProcessor.from_pretrained(folder / "model")
            return processor, make_model(processor.tokenizer)
    if args.model:
        known = AutoProcessor.from_pretrained(args.model).tokenizer
        processor = make_processor(extended(known, corpus(args.seed)))
        model = Qwen3VLForConditionalGeneration.from_pretrained(args.model, dtype=torch.float32)
        model.resize_token_embeddings(len(processor.tokenizer), pad_to_multiple_of=64)
        return processor, model
    processor = make_processor(train_tokenizer(corpus(args.seed)))
    return processor, make_model(processor.tokenizer)


class Lessons(Dataset[tuple[str, dict[str, torch.Tensor]]]):
    """All that there is to learn from: a task and a batch for each step."""

    def __init__(self, processor: Any, model: Any, args: argparse.Namespace) -> None:
        self._args, self._share = args, shares(args)
        self._pictures = pool(args.data, "train", args.pictures, seed=args.seed, kept=args.kept)
        self._reels = reels(args.data, "train", args.films, seed=args.seed) if args.films else []
        self._reels.sort(key=lambda reel: len(reel.times))
        self._small = scans(args.scans // 4, seed=args.seed, small=True)
        self._charts = scans(args.scans, seed=args.seed, small=False)
        self._batches = Batches(processor, self._pictures, model.model.get_rope_index)

    def __getitem__(self, step: int) -> tuple[str, dict[str, torch.Tensor]]:
        """The task of this step and a batch of it, as the model takes it but for its pixels; the
        same each time."""
        rng = np.random.default_rng((self._args.seed, step))
        task = str(rng.choice(list(self._share), p=list(self._share.values())))
        return task, self._batch(task, step, rng)

    def _batch(self, task: str, step: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        args = self._args
        if task == FILM:
            return self._batches.make_films(projected(self._reels, rng, args))
        if task == PAGE:
            return self._batches.make_pages(some(self._charts, rng, args.batch))
        if task == SCAN:
            begins = step < SMALL_FIRST * args.steps or rng.random() < SMALL_LATER
            scans_of = self._small if begins else self._charts
            return self._batches.make_scans(some(scans_of, rng, args.film_batch))
        return self._batches.make(drawn(task, self._pictures, rng, step / args.steps, args))

    def since(self, step: int) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
        """From this step on, made ahead by other processes where there are enough processors."""
        steps = range(step, self._args.steps)
        return iter(
            DataLoader(self, batch_size=None, sampler=steps, num_workers=self._args.workers)
        )


def train(args: argparse.Namespace) -> None:
    """Answers to the production prompts, token by token; keeps a folder that loads like any
    checkpoint."""
    device = begin(args)
    processor, model = begun(args)
    if args.start:
        model.load_state_dict(
            torch.load(args.start, weights_only=True, map_location="cpu")["model"]
        )
    if args.eyes:
        model.model.visual.load_state_dict(torch.load(args.eyes, weights_only=True))
    model.to(device)
    at_once(model.model.visual)
    lessons = Lessons(processor, model, args)
    coming: Iterator[tuple[str, dict[str, torch.Tensor]]] | None = None

    def step_of(step: int, _: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        nonlocal coming
        coming = coming or lessons.since(step)
        task, batch = next(coming)
        inputs = as_floats({name: value.to(device) for name, value in batch.items()})
        labels, hints = inputs.pop("labels"), inputs.pop("hints")
        seen = model.model(**inputs, use_cache=False, output_hidden_states=True)
        hidden = seen.last_hidden_state
        loss = said(model, hidden, labels)
        figures = {task: float(loss.detach())}
        if (hints != UNSAID).any():
            early = hinted(model, seen.hidden_states, hints)
            figures[f"{task} hints"] = float(early.detach())
            loss = loss + HINTED * early
        if task == "judge":
            figures["judged"] = right(model, hidden.detach(), labels)
        return loss, figures

    fit(model, step_of, lambda: save(model, processor, args.out / "model"), args)


def main() -> None:
    """Trains with the options of the command line."""
    parser = with_pictures(
        arguments(__doc__, steps=1400, batch=48, rate=1.2e-3, every=100), pictures=20_000
    )
    parser.add_argument("--eyes", type=Path, help="vision tower to begin with (eyes.pt)")
    parser.add_argument("--start", type=Path, help="checkpoint of another run to begin with")
    parser.add_argument("--model", type=Path, help="folder of a trained model to teach more")
    parser.add_argument("--films", type=int, default=0, help="films to learn from, with --scans")
    parser.add_argument(
        "--scans", type=int, default=0, help="size charts to learn from, with --films"
    )
    parser.add_argument("--film-batch", type=int, default=12)
    spare = max(0, (os.cpu_count() or 1) - 2)
    parser.add_argument(
        "--workers", type=int, default=spare, help="processes that make batches ahead"
    )
    parser.add_argument(
        "--words",
        action="store_true",
        help="the text tower alone: the tasks without their pictures",
    )
    args = parser.parse_args()
    if bool(args.films) != bool(args.scans):
        parser.error("Films and scans are learned together: name both --films and --scans.")
    train(args)


if __name__ == "__main__":
    main()
