"""Batches of samples as the model takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from mmsearch_core.demo.language import page_answer, scan_answer
from mmsearch_core.demo.training import films, scans
from mmsearch_core.demo.training.films import NOTHING, Reel
from mmsearch_core.demo.training.pictures import Pool
from mmsearch_core.demo.training.samples import PAGE, SCAN, Sample
from mmsearch_core.demo.training.scans import Scan
from mmsearch_core.prompts import load

END, IMAGE = "<|im_end|>", "<|image_pad|>"
UNSAID = -100  # as a label: nothing is to be said there
READ = 5  # tokens of a cell, at most, that are told
HINTS = 2 + READ  # that a place can be told, beside each other: its row, its column and its tokens
PIXELS = ("pixel_values", "pixel_values_videos")
AS_BYTES = {"do_rescale": False, "do_normalize": False}  # a quarter of what floats take


class Batches:
    """Turns samples into model inputs through the real processor's own pieces.

    Pixels stay bytes (:func:`as_floats`), so that batches can be made by other processes.

    :param positions: ``get_rope_index`` of the model: says where tokens stand, one by one; too slow
        for a GPU to wait for.
    """

    def __init__(self, processor: Any, data: Pool, positions: Callable[..., Any]) -> None:
        self._processor, self._data, self._positions = processor, data, positions
        self._pad = processor.tokenizer.pad_token_id
        image = processor.image_processor(images=[data.pictures[0]], return_tensors="pt")
        self._pads = int(image["image_grid_thw"].prod()) // 4

    def make(self, samples: list[Sample]) -> dict[str, torch.Tensor]:
        """Questions about a picture, or about none."""
        rows = []
        for place, system, text, answer in samples:
            pads = "" if place is None else IMAGE * self._pads
            rows.append((self._ids(_chat(pads, system, text)), self._ids(answer + END)))
        inputs = self._padded(rows)
        places = [place for place, *_ in samples if place is not None]
        if places:
            seen = self._processor.image_processor(
                images=[self._data.pictures[p] for p in places], return_tensors="pt", **AS_BYTES
            )
            inputs |= {
                "pixel_values": seen["pixel_values"],
                "image_grid_thw": seen["image_grid_thw"],
            }
        return self._finished(inputs)

    def make_films(self, shown: list[tuple[Reel, float]]) -> dict[str, torch.Tensor]:
        """Questions about films that begin at these seconds of their videos."""
        prompt = load("describe_video")
        videos = [torch.from_numpy(reel.frames).permute(0, 3, 1, 2) for reel, _ in shown]
        times = [films.metadata(np.array(reel.times) + begin) for reel, begin in shown]
        seen = self._processor(
            text=[_chat("<|video_pad|>", prompt.system, prompt.text())] * len(shown),
            videos=videos,
            video_metadata=times,
            do_sample_frames=False,
            cap_pixels_per_frame=True,
            **AS_BYTES,
        )
        answers = [self._ids(films.answer(reel, begin) + END) for reel, begin in shown]
        inputs = self._padded(list(zip(seen["input_ids"], answers, strict=True)))
        for row, (reel, begin) in enumerate(shown):
            self._hint(inputs, row, list(films.hints(reel, begin)))
        inputs |= {
            "pixel_values_videos": torch.as_tensor(seen["pixel_values_videos"]),
            "video_grid_thw": torch.as_tensor(seen["video_grid_thw"]),
        }
        return self._finished(inputs)

    def make_pages(self, shown: list[Scan]) -> dict[str, torch.Tensor]:
        """Pages with text of their own, to say what they are about."""
        answer = page_answer()
        return self._of_pages(PAGE, shown, [answer] * len(shown), size=None)

    def make_scans(self, shown: list[Scan]) -> dict[str, torch.Tensor]:
        """Scanned pages to read; of one batch all are of one size."""
        answers = [scan_answer(scan.chart, heading=scan.heading) for scan in shown]
        inputs = self._of_pages(SCAN, shown, answers, size=scans.sizes())
        for row, scan in enumerate(shown):
            self._hint_squares(inputs, row, scan)
        return inputs

    def _of_pages(
        self, name: str, shown: list[Scan], answers: list[str], size: dict[str, int] | None
    ) -> dict[str, torch.Tensor]:
        prompt = load(name)
        bounds = {"size": size} if size else {}
        seen = self._processor.image_processor(
            images=[scan.picture for scan in shown], return_tensors="pt", **bounds, **AS_BYTES
        )
        pads = [int(grid.prod()) // 4 for grid in seen["image_grid_thw"]]
        rows = []
        for answer, number in zip(answers, pads, strict=True):
            question = _chat(IMAGE * number, prompt.system, prompt.text())
            rows.append((self._ids(question), self._ids(answer + END)))
        inputs = self._padded(rows) | {
            "pixel_values": seen["pixel_values"],
            "image_grid_thw": seen["image_grid_thw"],
        }
        return self._finished(inputs)

    def _finished(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """With the positions of all tokens, and pixels as bytes."""
        kinds = inputs.pop("mm_token_type_ids")
        names = ("input_ids", "attention_mask", "image_grid_thw", "video_grid_thw")
        asked = {name: inputs[name] for name in names if name in inputs}
        positions, _ = self._positions(mm_token_type_ids=kinds, **asked)
        pixels = {name: inputs[name].to(torch.uint8) for name in PIXELS if name in inputs}
        return inputs | pixels | {"position_ids": positions}

    def _padded(self, rows: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
        """Right-padded, the question masked out of the labels."""
        width = max(len(question) + len(answer) for question, answer in rows)
        ids = torch.full((len(rows), width), self._pad)
        labels, mask = torch.full_like(ids, UNSAID), torch.zeros_like(ids)
        hints = torch.full((HINTS, *ids.shape), UNSAID)
        for row, (question, answer) in enumerate(rows):
            length = len(question) + len(answer)
            ids[row, :length] = torch.tensor(question + answer)
            labels[row, len(question) : length] = torch.tensor(answer)
            mask[row, :length] = 1
        known = self._processor.tokenizer.convert_tokens_to_ids
        kinds = (ids == known(IMAGE)).int() + 2 * (ids == known("<|video_pad|>")).int()
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": labels,
            "hints": hints,
            "mm_token_type_ids": kinds,
        }

    def _hint(
        self, inputs: dict[str, torch.Tensor], row: int, said: Sequence[Sequence[str]]
    ) -> None:
        """Behind every two frames of a film, and at the places before, the model is to know these,
        one token each."""
        # the last one may stand around them all, as transformers writes videos
        places = self._places(inputs, row, "<|vision_end|>")[: len(said)]
        for place, texts in zip(places, said, strict=True):
            tokens = [self._ids(text) for text in texts]
            end = place + 2  # what is said at a place is the label of the next one
            inputs["hints"][0, row, end - len(texts) : end] = torch.tensor(tokens).squeeze(1)

    def _hint_squares(self, inputs: dict[str, torch.Tensor], row: int, scan: Scan) -> None:
        """At every square of a page the model is to know where it stands in the table and, token by
        token, what its cell says, to the end."""
        (nothing,) = self._ids(NOTHING)
        for place, square in zip(self._places(inputs, row, IMAGE), scan.squares, strict=True):
            if square.cell is None:
                inputs["hints"][0, row, place + 1] = nothing
                continue
            line, column = square.cell
            tokens = [*self._ids(str(line)), *self._ids(str(column))]
            tokens += self._ids(scan.chart.rows[line][column])[:READ]
            tokens += [nothing] * (HINTS - len(tokens))
            inputs["hints"][:, row, place + 1] = torch.tensor(tokens)

    def _places(self, inputs: dict[str, torch.Tensor], row: int, token: str) -> list[int]:
        known = self._processor.tokenizer.convert_tokens_to_ids(token)
        (places,) = torch.where(inputs["input_ids"][row] == known)
        found: list[int] = places.tolist()
        return found

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._processor.tokenizer.encode(text, add_special_tokens=False)
        return ids


def as_floats(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The batch as the model takes it: pixels between -1 and 1, as its processor makes them."""
    return inputs | {name: inputs[name] / 127.5 - 1 for name in PIXELS if name in inputs}


def _chat(pads: str, system: str, text: str) -> str:
    """The question as the chat template writes it, with these places for a picture or a film."""
    shown = f"<|vision_start|>{pads}<|vision_end|>" if pads else ""
    return (
        f"<|im_start|>system\n{system}{END}\n<|im_start|>user\n{shown}{text}{END}\n"
        "<|im_start|>assistant\n"
    )
