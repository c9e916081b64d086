"""Shots of a video, each with the frames that show it: what is seen from one cut to the next."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from mmsearch_core.adapters.video.frames import Shown
from mmsearch_core.errors import MediaTooLarge
from mmsearch_core.records.question import Frame
from mmsearch_core.records.segment import Decoded, Span
from mmsearch_core.settings import Decode

SHORTEST = 0.6  # seconds of a shot; what is shorter is a flash of the one around it
OVERLAP = 4.0  # seconds in which the parts of a long shot overlap
LOOK = 256  # pixels of the longer side that cuts are looked for at, about
TICKS = 1_000_000  # a second
NEAR = 0.001  # seconds that times of frames are off by
LEAST = 6.0  # of 255, that a pixel differs by on average from one shot to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """A frame that was kept."""

    seconds: float
    large: bytes  # as a picture by itself
    small: bytes  # as one of the frames of a shot


class Shots:
    """Takes the frames of one video in order, and has its shots in the end. Holds the frames that
    were kept, as JPEG, and one decoded frame.

    A shot that goes on for long is several, which overlap, so that what happens where one ends is
    whole in one of them.
    """

    def __init__(self, settings: Decode, *, start: float, duration: float | None) -> None:
        """
        :param start: of the first frame, on a player's clock.
        :param duration: of the video in seconds, where it is known; the longer, the fewer frames
            are kept of each second.
        """
        self._settings = settings
        self._start = start
        self._step = max(1 / settings.frames_per_second, (duration or 0.0) / settings.most_frames)
        self._detector: Any = _detector()
        self._found: list[Decoded] = []
        self._kept = 0
        self._samples: list[_Sample] = []
        self._begun = 0.0  # where the segment begins that is being seen
        self._goes_on = False  # whether it goes on from the segment before
        self._due = 0.0  # when the next frame is kept
        self._end = 0.0
        self._lost = 0.0

    def take(self, shown: Shown) -> None:
        """See one more frame: end the shot where it shows a cut, and keep it where one is due."""
        for cut in self._cuts(shown):
            self._close(cut, goes_on=False)
            self._due = self._due if self._samples else shown.start
        if shown.start - self._begun >= self._settings.window_seconds:
            self._close(shown.start, goes_on=True)
        # of a video that is longer than its header says, no more than a frame a shot
        if shown.start >= self._due - NEAR and (
            not self._samples or self._kept < 2 * self._settings.most_frames
        ):
            self._samples.append(self._sample(shown))
            self._kept += 1
            self._due = shown.start + self._step
        self._end = max(shown.end, shown.start + 0.001)
        self._lost += shown.lost

    def all(self) -> list[Decoded]:
        """The shots, when there are no more frames."""
        self._close(self._end, goes_on=False)
        return self._found

    @property
    def end(self) -> float:
        """When the last frame ended that was taken, in seconds from the first."""
        return self._end

    @property
    def lost(self) -> float:
        """How many seconds before that could not be read."""
        return self._lost

    def _cuts(self, shown: Shown) -> Iterator[float]:
        """Where shots end, which is known some frames later."""
        import numpy as np
        from scenedetect.common import FrameTimecode, Timecode

        coarse = max(1, max(shown.picture.shape) // LOOK)
        bgr = shown.picture[::coarse, ::coarse, ::-1]  # as OpenCV has colors
        look = np.ascontiguousarray(bgr)
        moment = Timecode(pts=round(shown.start * TICKS), time_base=Fraction(1, TICKS))
        for cut in self._detector.process_frame(FrameTimecode(moment, fps=Fraction(TICKS)), look):
            yield cut.seconds

    def _sample(self, shown: Shown) -> _Sample:
        from PIL import Image

        picture = Image.fromarray(shown.picture)
        large = self._jpeg(picture)
        picture.thumbnail((self._settings.frame_side, self._settings.frame_side))
        return _Sample(seconds=shown.start, large=large, small=self._jpeg(picture))

    def _jpeg(self, picture: Any) -> bytes:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=self._settings.quality)
        return out.getvalue()

    def _close(self, end: float, *, goes_on: bool) -> None:
        """Make a segment of what was seen until ``end``; the next one begins there, or a little
        before where the shot goes on."""
        seen = [sample for sample in self._samples if sample.seconds < end]
        if seen:
            self._add(end, seen)
        begin = end - (OVERLAP if goes_on else 0.0)
        self._samples = [sample for sample in self._samples if sample.seconds >= begin]
        self._begun, self._goes_on = (begin, goes_on) if seen else (self._begun, self._goes_on)

    def _add(self, end: float, seen: list[_Sample]) -> None:
        last = self._found[-1] if self._goes_on else None
        if last and end - (self._begun + OVERLAP) < OVERLAP:
            self._found[-1] = self._longer(last, end, seen)
            return
        if len(self._found) >= self._settings.most_shots:
            raise MediaTooLarge(
                f"The video has over {self._settings.most_shots} shots (decode.most_shots): cut it,"
                " or raise the setting."
            )
        # a picture that shows more takes more bytes: no black frame, none that is blurred
        best = max(seen, key=lambda sample: len(sample.large))
        shot = Decoded(
            where=Span(start=self._at(self._begun), end=self._at(end)),
            jpeg=best.large,
            frames=tuple(self._frame(sample) for sample in seen),
        )
        self._found.append(shot)

    def _longer(self, shot: Decoded, end: float, seen: list[_Sample]) -> Decoded:
        """The shot with the little that comes behind it."""
        assert isinstance(shot.where, Span)
        known = shot.frames[-1].seconds or 0.0
        more = [frame for frame in map(self._frame, seen) if (frame.seconds or 0.0) > known]
        where = Span(start=shot.where.start, end=self._at(end))
        return replace(shot, where=where, frames=(*shot.frames, *more))

    def _frame(self, sample: _Sample) -> Frame:
        return Frame(jpeg=sample.small, seconds=self._at(sample.seconds))

    def _at(self, seconds: float) -> float:
        """On a player's clock, to the millisecond."""
        return round(self._start + seconds, 3)


def _detector() -> Any:
    """PySceneDetect's adaptive detector, told how far frames differ by their colors.

    By hue and saturation, as it goes by itself, a small product before a white wall that becomes
    another one is no cut, and the first trace of color in a fade from black is one.
    """
    import cv2
    from scenedetect.detectors import AdaptiveDetector

    class ByColor(AdaptiveDetector):  # type: ignore[misc]
        _before: Any = None

        def _calculate_frame_score(self, timecode: Any, frame_img: Any) -> float:  # noqa: ARG002
            before, self._before = self._before, frame_img
            return 0.0 if before is None else float(cv2.absdiff(frame_img, before).mean())

    return ByColor(min_scene_len=SHORTEST, min_content_val=LEAST)
