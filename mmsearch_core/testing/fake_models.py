"""Models that answer at once: they look at the mean color of a picture and at a few words, so that
the whole line means something without weights. ``calls`` counts items asked."""

import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from more_itertools import chunked

from mmsearch_core.adapters.isolated_decoder import Opener, cannot_be_opened
from mmsearch_core.adapters.pillow_picture import open_picture
from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.adapters.video import open_video
from mmsearch_core.errors import BadRecord, UnreadableMedia, UnusableAnswer
from mmsearch_core.ports.media import Content, Item
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.question import Answer, Frame, Question
from mmsearch_core.records.segment import Decoded
from mmsearch_core.settings import Decode

COLORS = {
    "red": ((200, 30, 30), "红色"),
    "green": ((30, 160, 60), "绿色"),
    "blue": ((30, 60, 200), "蓝色"),
    "black": ((20, 20, 20), "黑色"),
}


UNSURE = 0.1  # of a likelihood that goes to all values alike


class FakeDecoder:
    """Opens what the real one opens, in this process: without limits of time and memory, and who
    dies takes all."""

    def __init__(self, openers: Mapping[str, Opener] | None = None) -> None:
        """``openers`` by kind of asset; those of production, where there are none."""
        self._openers = openers or {
            "picture": open_picture,
            "video": open_video,
            "document": open_document,
        }

    def decode(self, items: Sequence[Item]) -> list[list[Decoded] | BadRecord]:
        return [self._open(kind, content) for kind, content in items]

    def _open(self, kind: Kind, content: Content) -> list[Decoded] | BadRecord:
        if kind not in self._openers:
            return cannot_be_opened(kind)
        try:
            return self._openers[kind](content, Decode())
        except BadRecord as error:
            return error


class FakeVisionLanguageModel:
    """Describes by color, standardizes by word table, judges by comparing bracketed attributes."""

    name = "fake-vlm"

    def __init__(self) -> None:
        self.calls = 0

    def as_read(self, question: Question) -> str:
        if not question.is_of_a_video:
            return "".join("<|image_pad|>" for _ in question.frames) + question.text
        times = [frame.seconds or 0.0 for frame in question.frames]
        marks = [
            f"<{(pair[0] + pair[-1]) / 2:.1f} seconds><|video_pad|>" for pair in chunked(times, 2)
        ]
        return "".join(marks) + question.text

    def answer(self, questions: Sequence[Question]) -> list[Answer | BadRecord]:
        self.calls += len(questions)
        return [_weighed(question, self._answer(question)) for question in questions]

    def weigh(
        self, questions: Sequence[Question], labels: Sequence[str]
    ) -> list[tuple[float, ...] | BadRecord]:
        self.calls += len(questions)
        others = len(labels) - 1
        scores = [self._judge(question.text) for question in questions]
        return [(score, *(((1 - score) / others,) * others)) for score in scores]

    def _answer(self, question: Question) -> str | BadRecord:
        if question.frames:
            return self._describe(question)
        if "Columns: " in question.text:
            return _condition(question.text.rpartition("Request: ")[2])
        return self._standardize(question.text)

    def _describe(self, question: Question) -> str | BadRecord:
        try:
            colors = [nearest_color(frame.jpeg) for frame in question.frames]
        except OSError:
            return UnusableAnswer("Nothing can be seen.")
        color = colors[0]
        said = {
            "attributes": {"category": "dress", "color": color, "pattern": "plain"},
            "caption": {"en": f"{color} dress", "zh": f"{COLORS[color][1]}连衣裙"},
            "keywords": {"en": [color, "dress"], "zh": [COLORS[color][1], "连衣裙"]},
            "seen_text": [],
        }
        if question.schema and "tables" in question.schema["properties"]:
            said["tables"] = []
        if question.is_of_a_video:
            said["events"] = [_turning(question.frames, color)]
        return json.dumps(said, ensure_ascii=False)

    def _standardize(self, text: str) -> str | BadRecord:
        asked = text.rpartition("Query: ")[2]
        colors = [color for color, (_, zh) in COLORS.items() if color in asked or zh in asked]
        if "unanswerable" in asked:
            return UnusableAnswer("The model gave up.")
        en, zh = (
            " ".join([*colors, "dress"]),
            "".join([*(COLORS[color][1] for color in colors), "连衣裙"]),
        )
        constraints = [{"attribute": "color", "values": colors, "exclude": False}] if colors else []
        words = {
            "en": [*colors, "dress"],
            "zh": [*(COLORS[color][1] for color in colors), "连衣裙"],
        }
        answer = {"constraints": constraints, "wording": {"en": en, "zh": zh}, "keywords": words}
        return json.dumps(answer, ensure_ascii=False)

    @staticmethod
    def _judge(text: str) -> float:
        product, _, query = text.partition("Query:")
        wanted = re.findall(r"(\w+): (\w+)", query)
        return 0.9 if all(f"{name}: {value}" in product for name, value in wanted) else 0.1


def _weighed(question: Question, said: str | BadRecord) -> Answer | BadRecord:
    """Sure of what it says, but for a tenth that all values share."""
    if isinstance(said, BadRecord):
        return said
    attributes = json.loads(said).get("attributes", {})
    likelihoods: dict[str, dict[str, float]] = {}
    for name, values in question.weighed.items():
        if attributes.get(name) in values:
            likelihoods[name] = dict.fromkeys(values, UNSURE / len(values))
            likelihoods[name][attributes[name]] += 1 - UNSURE
    return Answer(text=said, likelihoods=likelihoods)


def _condition(request: str) -> str | BadRecord:
    """Understands requests like "waist at least 80 cm"."""
    found = re.search(r"(\w+) at least (\w+) ?(\w*)", request)
    if found is None:
        return UnusableAnswer("The model gave up.")
    header, value, unit = found.groups()
    return json.dumps(
        {"conditions": [{"header": header, "op": ">=", "value": value, "unit": unit}]}
    )


def _turning(frames: Sequence[Frame], color: str) -> dict[str, Any]:
    """The one event that is seen in every video."""
    text = {"en": f"the {color} dress turns around", "zh": f"{COLORS[color][1]}连衣裙转身"}
    return {"start": frames[0].seconds, "end": (frames[-1].seconds or 0) + 0.5, "text": text}


class FakeEmbedder:
    """Words and picture colors in one space of hashed words: "red" lies near red pictures."""

    dimension = 32

    def __init__(self, space: str = "clip") -> None:
        self.space, self.name, self.calls = space, f"fake-{space}", 0

    def embed(self, items: Iterable[str | bytes]) -> list[Vector | BadRecord]:
        items = list(items)
        self.calls += len(items)
        answers: list[Vector | BadRecord] = []
        for item in items:
            try:
                answers.append(
                    self._vector(
                        f"{nearest_color(item)} dress" if isinstance(item, bytes) else item
                    )
                )
            except OSError:
                answers.append(UnreadableMedia("The picture is damaged."))
        return answers

    def _vector(self, text: str) -> Vector:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in re.findall(r"[a-z]+", text.lower()):
            vector[int(sha256(word.encode()).hexdigest(), 16) % self.dimension] += 1
        normal: Vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        return normal


def nearest_color(picture: bytes) -> str:
    """The named color nearest to the picture's mean; OSError if it is no picture."""
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as opened:
        mean = np.asarray(opened.convert("RGB")).reshape(-1, 3).mean(axis=0)
    return min(COLORS, key=lambda color: float(np.sum((mean - np.array(COLORS[color][0])) ** 2)))
