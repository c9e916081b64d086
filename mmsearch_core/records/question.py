"""What a vision-language model is asked, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A picture that a model is shown."""

    jpeg: bytes
    seconds: float | None = None  # of a video, from its start; None: a picture by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt filled in: system and user text, what it is about, and the JSON schema of the
    answer.

    ``weighed`` are the values whose likelihoods are wanted, by the name of the member of the answer
    that has one of them. ``most_pixels`` is what each picture is made smaller to, and
    ``most_tokens`` how long the answer may be; None: as the model's own settings say.

    Frames without a time are pictures, in the order in which they are shown. Frames with times are
    one video, in the order of time; the model is told each time. ValueError for a mixture, or for
    frames that are out of order.
    """

    system: str
    text: str
    frames: tuple[Frame, ...] = ()
    schema: Mapping[str, Any] | None = None
    weighed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    most_pixels: int | None = None
    most_tokens: int | None = None

    def __post_init__(self) -> None:
        times = [frame.seconds for frame in self.frames if frame.seconds is not None]
        if times and len(times) < len(self.frames):
            raise ValueError("frames are pictures, without times, or those of one video")
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError("the frames of a video are in the order of time")

    @property
    def is_of_a_video(self) -> bool:
        """Whether the frames are those of a video."""
        return bool(self.frames) and self.frames[0].seconds is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """JSON text; and of each member that the question wants weighed, how likely each of its values
    was where the text writes one. Likelihoods of a member sum to 1; a member of which nothing can
    be said is left out."""

    text: str
    likelihoods: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
