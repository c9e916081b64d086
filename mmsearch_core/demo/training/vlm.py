"""Trains the tiny Qwen3-VL on the three production prompts: ``python -m
mmsearch_core.demo.training.vlm --help``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmsearch_core.demo.language import (
    Wish,
    describe,
    describe_answer,
    standardize,
    standardize_answer,
    typed,
    wish_for,
)
from mmsearch_core.demo.training.loop import arguments, begin, fit, with_pictures
from mmsearch_core.demo.training.pictures import Pool, pool
from mmsearch_core.demo.training.vlm_parts import make_model, make_processor, save, train_tokenizer
from mmsearch_core.demo.vocabulary import TERMS, Look, every_look
from mmsearch_core.prompts import load

Sample = tuple[int | None, str, str, str]  # number of the picture, system, question, answer

CONFUSED = {
    "t-shirt": "shirt",
    "shirt": "pullover",
    "pullover": "coat",
    "coat": "pullover",
    "dress": "coat",
}


def describe_sample(place: int, look: Look, _: np.random.Generator, __: float) -> Sample:
    """A picture and what is seen in it."""
    prompt = load("describe")
    return place, prompt.system, prompt.text(), describe_answer(look)


def standardize_sample(_: int, look: Look, rng: np.random.Generator, __: float) -> Sample:
    """What was typed and what was meant."""
    prompt = load("standardize")
    wish, locale = wish_for(look, rng), str(rng.choice(["en", "zh"]))
    text = typed(wish, locale, rng)
    return (
        None,
        prompt.system,
        prompt.text(query=text),
        standardize_answer(standardize(text, wish.constraints)),
    )


def judge_sample(place: int, look: Look, rng: np.random.Generator, progress: float) -> Sample:
    """A product and a query; first negatives differ in everything, later in one attribute.

    What follows "no" is never asked for: naming the constraint that fails teaches where to look.
    """
    prompt = load("judge")
    seen, fits = look, bool(rng.random() < 0.5)
    if (
        rng.random() < 0.06 and look.category in CONFUSED
    ):  # a description that errs, as real ones do
        seen = Look(category=CONFUSED[look.category], color=look.color, pattern=look.pattern)
    wish = wish_that(look, rng, fits=fits, progress=progress)
    query = standardize("", wish.constraints)
    text = prompt.text(description=describe(seen).judged_text, query=query.judged_text)
    failing = [c.attribute for c in wish.constraints if not Wish(constraints=(c,)).fits(look)]
    return place, prompt.system, text, f"no: {failing[0]}" if failing else "yes"


def wish_that(look: Look, rng: np.random.Generator, *, fits: bool, progress: float) -> Wish:
    """A wish that the look fulfils; or one of an unlike look, that it does not fulfil."""
    while True:
        wish = wish_for(look if fits else unlike(look, rng, progress), rng)
        if wish.fits(look) == fits:
            return wish


def unlike(look: Look, rng: np.random.Generator, progress: float) -> Look:
    """Another look; the share of those that differ in one attribute only grows with progress."""
    names = list(TERMS)
    changed = names if rng.random() > 2 * progress else [str(rng.choice(names))]
    others = {
        name: str(rng.choice([value for value in TERMS[name] if value != getattr(look, name)]))
        for name in changed
    }
    return Look(**{**look.attributes(), **others})


TASKS: dict[str, Callable[[int, Look, np.random.Generator, float], Sample]] = {
    "describe": describe_sample,
    "standardize": standardize_sample,
    "judge": judge_sample,
}


class Batches:
    """Turns samples into model inputs through the real processor's own pieces."""

    def __init__(self, processor: Any, data: Pool) -> None:
        self._processor, self._data = processor, data
        self._pad = processor.tokenizer.pad_token_id
        image = processor.image_processor(images=[data.pictures[0]], return_tensors="pt")
        self._pads = int(image["image_grid_thw"].prod()) // 4

    def make(self, samples: list[Sample]) -> dict[str, torch.Tensor]:
        """Right-padded, the question masked out of the labels."""
        rows = [self._encode(sample) for sample in samples]
        width = max(len(question) + len(answer) for question, answer in rows)
        ids = torch.full((len(rows), width), self._pad)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for row, (question, answer) in enumerate(rows):
            length = len(question) + len(answer)
            ids[row, :length] = torch.tensor(question + answer)
            labels[row, len(question) : length] = torch.tensor(answer)
            mask[row, :length] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        image_id = self._processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        inputs["mm_token_type_ids"] = (ids == image_id).int()
        places = [place for place, *_ in samples if place is not None]
        if places:
            seen = self._processor.image_processor(
                images=[self._data.pictures[p] for p in places], return_tensors="pt"
            )
            inputs |= {
                "pixel_values": seen["pixel_values"],
                "image_grid_thw": seen["image_grid_thw"],
            }
        return inputs

    def _encode(self, sample: Sample) -> tuple[list[int], list[int]]:
        place, system, text, answer = sample
        image = (
            f"<|vision_start|>{'<|image_pad|>' * self._pads}<|vision_end|>"
            if place is not None
            else ""
        )
        question = (
            f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{image}{text}<|im_end|>\n"
        )
        question += "<|im_start|>assistant\n"
        encode = self._processor.tokenizer.encode
        return encode(question, add_special_tokens=False), encode(
            answer + "<|im_end|>", add_special_tokens=False
        )


def corpus(seed: int) -> list[str]:
    """Text to learn tokens from: every prompt and many answers."""
    rng = np.random.default_rng(seed)
    looks = every_look()
    samples = [
        make(0, looks[number % 400], rng, 1.0) for make in TASKS.values() for number in range(1200)
    ]
    return [text for _, *texts in samples for text in texts] + [
        "system\n",
        "user\n",
        "assistant\n",
    ] * 1200


def shares(*, words: bool) -> list[float]:
    """How often each task is trained; without pictures, judging most, which takes longest to
    learn."""
    return [0.0, 0.25, 0.75] if words else [0.6, 0.15, 0.25]


def draw(
    data: Pool, rng: np.random.Generator, progress: float, args: argparse.Namespace
) -> tuple[str, list[Sample]]:
    """A task and samples of it; a run that starts from another's weights begins with hard
    negatives."""
    task = str(rng.choice(list(TASKS), p=shares(words=args.words)))
    places = [int(place) for place in rng.integers(0, len(data.looks), args.batch)]
    samples = [
        TASKS[task](place, data.looks[place], rng, 1.0 if args.start else progress)
        for place in places
    ]
    return task, [(None, *texts) for _, *texts in samples] if args.words else samples  # type: ignore[misc]


def right(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of rows whose first answered token is the likeliest; logits (n, width, tokens),
    labels (n, width)."""
    first = (labels != -100).int().argmax(1)
    rows = torch.arange(len(labels), device=labels.device)
    return float((logits[rows, first - 1].argmax(-1) == labels[rows, first]).float().mean())


def made_processor(args: argparse.Namespace) -> Any:
    """That of the run that is continued, since weights know tokens by number; else a new one."""
    from transformers import AutoProcessor

    for folder in (args.out, args.start and args.start.parent):
        if folder and (folder / "checkpoint.pt").exists():
            return AutoProcessor.from_pretrained(folder / "model")
    return make_processor(train_tokenizer(corpus(args.seed)))


def train(args: argparse.Namespace) -> None:
    """Answers to the three prompts, token by token; keeps a folder that loads like any
    checkpoint."""
    device = begin(args)
    processor = made_processor(args)
    model = make_model(processor.tokenizer)
    if args.start:
        model.load_state_dict(
            torch.load(args.start, weights_only=True, map_location="cpu")["model"]
        )
    if args.eyes:
        model.model.visual.load_state_dict(torch.load(args.eyes, weights_only=True))
    model.to(device)
    data = pool(args.data, "train", args.pictures, seed=args.seed, kept=args.kept)
    batches = Batches(processor, data)

    def step_of(step: int, rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        task, samples = draw(data, rng, step / args.steps, args)
        inputs = {name: value.to(device) for name, value in batches.make(samples).items()}
        seen = model(**inputs)
        figures = {task: float(seen.loss.detach())}
        if task == "judge":
            figures["judged"] = right(seen.logits, inputs["labels"])
        return seen.loss, figures

    fit(model, step_of, lambda: save(model, processor, args.out / "model"), args)


def main() -> None:
    """The command line."""
    parser = with_pictures(
        arguments(__doc__, steps=1400, batch=48, rate=1.2e-3, every=100), pictures=20_000
    )
    parser.add_argument("--eyes", type=Path, help="vision tower to begin with (eyes.pt)")
    parser.add_argument("--start", type=Path, help="checkpoint of another run to begin with")
    parser.add_argument(
        "--words",
        action="store_true",
        help="the text tower alone: the tasks without their pictures",
    )
    train(parser.parse_args())


if __name__ == "__main__":
    main()
