"""The models, behind whatever engine."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from mmsearch_core.errors import BadRecord
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.question import Answer, Question


class VisionLanguageModel(Protocol):
    """Qwen3-VL, behind whatever engine."""

    @property
    def name(self) -> str:
        """Model and revision, for recipes."""

    def as_read(self, question: Question) -> str:
        """The question as the model reads it, each run of tokens that stand for pixels as one. In
        front of every two frames of a video stands their time, ``<4.5 seconds>``: the mean of both,
        from the video's start."""

    def answer(self, questions: Sequence[Question]) -> list[Answer | BadRecord]:
        """JSON text that fits each question's schema, in order, with the likelihoods of the values
        that the question wants weighed; an item that failed comes back as its error."""

    def weigh(
        self, questions: Sequence[Question], labels: Sequence[str]
    ) -> list[tuple[float, ...] | BadRecord]:
        """How likely each label is against the others as first token of the answer, in the order
        of the labels; the likelihoods of a question sum to 1."""


class Embedder(Protocol):
    """CLIP or SBERT: unit vectors of text (str) or of encoded pictures (bytes)."""

    @property
    def name(self) -> str:
        """Model and revision, for recipes."""

    @property
    def space(self) -> str:
        """What its vectors are called in files and in the index."""

    @property
    def dimension(self) -> int:
        """Floats a vector."""

    def embed(self, items: Iterable[str | bytes]) -> list[Vector | BadRecord]:
        """One vector an item, shape (dimension,), in order; an item that failed comes back as its
        error. Items may be read while earlier ones are embedded."""
