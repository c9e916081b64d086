"""Trains the tiny Qwen3-VL on the production prompts: ``python -m
mmsearch_core.demo.training.vlm --help``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmsearch_core.demo.film import film_of, happens
from mmsearch_core.demo.language import (
    Wish,
    describe,
    describe_answer,
    film_answer,
    page_answer,
    scan_answer,
    standardize,
    standardize_answer,
    typed,
    wish_for,
)
from mmsearch_core.demo.size_chart import MEASURES, size_chart
from mmsearch_core.demo.training import films, scans
from mmsearch_core.demo.training.films import Reel, reels
from mmsearch_core.demo.training.loop import arguments, begin, fit, with_pictures
from mmsearch_core.demo.training.pictures import Pool, pool
from mmsearch_core.demo.training.scans import Scan
from mmsearch_core.demo.training.vlm_parts import (
    extended,
    make_model,
    make_processor,
    save,
    train_tokenizer,
)
from mmsearch_core.demo.vocabulary import TERMS, Look, every_look
from mmsearch_core.prompts import load
from mmsearch_core.records.description import Event

Sample = tuple[int | None, str, str, str]  # number of the picture, system, question, answer

SMALL_FIRST = 0.4
END = "<|im_end|>"
FILM, SCAN, PAGE = "describe_video", "read_page", "describe_page"
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
        """Questions about a picture, or about none."""
        inputs = self._padded(
            [
                (
                    self._ids(self._chat(0 if place is None else self._pads, system, text)),
                    self._ids(answer + END),
                )
                for place, system, text, answer in samples
            ]
        )
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

    def make_films(self, shown: list[tuple[Reel, float]]) -> dict[str, torch.Tensor]:
        """Questions about films that begin at these seconds of their videos."""
        prompt = load("describe_video")
        times = [np.array(reel.times) + begin for reel, begin in shown]
        seen = self._processor(
            text=[
                f"<|im_start|>system\n{prompt.system}{END}\n<|im_start|>user\n<|vision_start|>"
                f"<|video_pad|><|vision_end|>{prompt.text()}{END}\n<|im_start|>assistant\n"
            ]
            * len(shown),
            videos=[torch.from_numpy(reel.frames).permute(0, 3, 1, 2) for reel, _ in shown],
            video_metadata=[films.metadata(of_reel) for of_reel in times],
            do_sample_frames=False,
            cap_pixels_per_frame=True,
        )
        answers = [films.answer(reel, begin) for reel, begin in shown]
        inputs = self._padded(
            [
                (question, self._ids(answer + END))
                for question, answer in zip(seen["input_ids"], answers, strict=True)
            ]
        )
        for row, (reel, _) in enumerate(shown):
            self._hint(inputs, row, "<|vision_end|>", films.hints(reel))
        return inputs | {
            "pixel_values_videos": torch.as_tensor(seen["pixel_values_videos"]),
            "video_grid_thw": torch.as_tensor(seen["video_grid_thw"]),
        }

    def make_scans(self, shown: list[Scan]) -> dict[str, torch.Tensor]:
        """Scanned pages to read; of one batch all are of one size."""
        prompt = load("read_page")
        seen = self._processor.image_processor(
            images=[scan.picture for scan in shown], size=scans.sizes(), return_tensors="pt"
        )
        pads = [int(grid.prod()) // 4 for grid in seen["image_grid_thw"]]
        inputs = self._padded(
            [
                (
                    self._ids(self._chat(number, prompt.system, prompt.text())),
                    self._ids(scan_answer(scan.chart, heading=scan.heading) + END),
                )
                for scan, number in zip(shown, pads, strict=True)
            ]
        )
        for row, scan in enumerate(shown):
            self._hint(inputs, row, "<|image_pad|>", scan.hints)
        return inputs | {
            "pixel_values": seen["pixel_values"],
            "image_grid_thw": seen["image_grid_thw"],
        }

    def _padded(self, rows: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
        """Right-padded, the question masked out of the labels."""
        width = max(len(question) + len(answer) for question, answer in rows)
        ids = torch.full((len(rows), width), self._pad)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for row, (question, answer) in enumerate(rows):
            length = len(question) + len(answer)
            ids[row, :length] = torch.tensor(question + answer)
            labels[row, len(question) : length] = torch.tensor(answer)
            mask[row, :length] = 1
        known = self._processor.tokenizer.convert_tokens_to_ids
        kinds = (ids == known("<|image_pad|>")).int() + 2 * (ids == known("<|video_pad|>")).int()
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": labels,
            "mm_token_type_ids": kinds,
        }

    def _hint(
        self, inputs: dict[str, torch.Tensor], row: int, behind: str, said: Sequence[str]
    ) -> None:
        """Behind each such token of a question the model is to say this. The last one may stand
        around them all, as transformers writes videos."""
        known = self._processor.tokenizer.convert_tokens_to_ids
        (places,) = torch.where(inputs["input_ids"][row] == known(behind))
        for place, text in zip(places.tolist()[: len(said)], said, strict=True):
            (token,) = self._ids(text)
            inputs["labels"][row, place + 1] = token

    def _chat(self, pads: int, system: str, text: str) -> str:
        image = f"<|vision_start|>{'<|image_pad|>' * pads}<|vision_end|>" if pads else ""
        return (
            f"<|im_start|>system\n{system}{END}\n<|im_start|>user\n{image}{text}{END}\n"
            "<|im_start|>assistant\n"
        )

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._processor.tokenizer.encode(text, add_special_tokens=False)
        return ids


def corpus(seed: int) -> list[str]:
    """Text to learn tokens from: every prompt and many answers."""
    rng = np.random.default_rng(seed)
    looks = every_look()
    samples = [
        make(0, looks[number % 400], rng, 1.0) for make in TASKS.values() for number in range(1200)
    ]
    return (
        [text for _, *texts in samples for text in texts]
        + [text for number in range(1200) for text in film_texts(looks[number % 400], rng)]
        + [text for _ in range(1200) for text in scan_texts(rng)]
        + ["system\n", "user\n", "assistant\n"] * 1200
    )


def film_texts(look: Look, rng: np.random.Generator) -> list[str]:
    """What is said to the model and what it says of a film."""
    prompt = load("describe_video")
    film = film_of(look, rng, changes=3)
    events = [
        Event(start=change.start, end=change.end, text=happens(film, change))
        for change in film.changes
    ]
    return [prompt.system, prompt.text(), "<1.2 seconds>", film_answer(look, events)]


def scan_texts(rng: np.random.Generator) -> list[str]:
    """What is said to the model and what it says of a scan."""
    chart = size_chart(str(rng.choice(list(MEASURES))), rng)
    prompts = [load(PAGE), load(SCAN)]
    said = [text for prompt in prompts for text in (prompt.system, prompt.text())]
    answers = [scan_answer(chart, heading=heading) for heading in (True, False)]
    return [*said, page_answer(), *answers]


def shares(args: argparse.Namespace) -> dict[str, float]:
    """How often each task is trained; without pictures, judging most, which takes longest to
    learn."""
    if args.words:
        return {"standardize": 0.25, "judge": 0.75}
    if args.scans and not args.films:
        return {"describe": 0.15, SCAN: 0.85}
    if args.scans:
        return {"describe": 0.15, "standardize": 0.05, "judge": 0.15, FILM: 0.3, SCAN: 0.35}
    if args.films:
        return {"describe": 0.15, "standardize": 0.1, "judge": 0.2, FILM: 0.55}
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


def projected(
    shown: list[Reel], rng: np.random.Generator, args: argparse.Namespace
) -> list[tuple[Reel, float]]:
    """Films, and the second of a video at which each begins: half of them at its beginning. Those
    of a batch are about as long as one another, so that little of it is padding."""
    first = int(rng.integers(0, len(shown) - args.film_batch))
    begins = rng.uniform(0, films.LATEST, args.film_batch) * (rng.random(args.film_batch) < 0.5)
    return list(zip(shown[first : first + args.film_batch], begins.tolist(), strict=True))


def right(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of rows whose first answered token is the likeliest; logits (n, width, tokens),
    labels (n, width)."""
    first = (labels != -100).int().argmax(1)
    rows = torch.arange(len(labels), device=labels.device)
    return float((logits[rows, first - 1].argmax(-1) == labels[rows, first]).float().mean())


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
    model.model.visual.requires_grad_(not args.still_eyes)
    model.to(device)
    data = pool(args.data, "train", args.pictures, seed=args.seed, kept=args.kept)
    shown = reels(args.data, "train", args.films, seed=args.seed) if args.films else []
    shown.sort(key=lambda reel: len(reel.times))
    charts = (
        [scans.scans(args.scans, seed=args.seed, small=small) for small in (True, False)]
        if args.scans
        else []
    )
    batches, share = Batches(processor, data), shares(args)

    def step_of(step: int, rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        task = str(rng.choice(list(share), p=list(share.values())))
        if task == SCAN:
            some = charts[step % 2] if step > args.steps * SMALL_FIRST else charts[0]
            made = batches.make_scans(
                [
                    some[int(n)]
                    for n in rng.integers(
                        0, len(some), args.film_batch * 2 if some is charts[0] else args.film_batch
                    )
                ]
            )
        elif task == FILM:
            made = batches.make_films(projected(shown, rng, args))
        else:
            made = batches.make(drawn(task, data, rng, step / args.steps, args))
        inputs = {name: value.to(device) for name, value in made.items()}
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
    parser.add_argument("--model", type=Path, help="folder of a trained model to teach more")
    parser.add_argument("--films", type=int, default=0, help="films to learn from, too")
    parser.add_argument("--scans", type=int, default=0, help="scans to learn from, too")
    parser.add_argument("--film-batch", type=int, default=12)
    parser.add_argument("--still-eyes", action="store_true", help="the vision tower learns nothing")
    parser.add_argument(
        "--words",
        action="store_true",
        help="the text tower alone: the tasks without their pictures",
    )
    train(parser.parse_args())


if __name__ == "__main__":
    main()
