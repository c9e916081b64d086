"""What a vision-language model is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt filled in: system and user text, at most one picture (JPEG), and the JSON schema of
    the answer."""

    system: str
    text: str
    picture: bytes | None = None
    schema: Mapping[str, Any] | None = None
