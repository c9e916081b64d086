"""What a vision-language model is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A picture that belongs to a question."""

    jpeg: bytes
    seconds: float | None = None  # of a video, from its start; None: a picture by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt filled in: system and user text, the pictures that it is about in their order, and
    the JSON schema of the answer."""

    system: str
    text: str
    frames: tuple[Frame, ...] = ()
    schema: Mapping[str, Any] | None = None
