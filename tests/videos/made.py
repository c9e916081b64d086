"""Videos as the world sends them, each made here."""

import io
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

from mmsearch_core.testing.fake_models import COLORS

Scene = tuple[str, float]  # a color of the fakes, and for how many seconds
RATE = 8_000  # samples a second of sound
STILL = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
# of the header of an MP4: turned to the right by a quarter when it is shown
TURNED = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
# left and right are exchanged
MIRRORED = struct.pack(">9i", -0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@cache
def video(
    *scenes: Scene,
    fps: int = 10,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    container: str = "mp4",
    start: float = 0.0,
    leave_out: frozenset[int] = frozenset(),
) -> bytes:
    """A video of these scenes, one after the other; the upper left corner is yellow.

    :param size: width and height in pixels.
    :param start: when the first frame is shown.
    :param leave_out: numbers of frames that are not there: the one before is shown for longer.
    """
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number, color in enumerate(_frames(scenes, fps)):
            if number in leave_out:
                continue
            frame = av.VideoFrame.from_ndarray(_drawn(color, size), "rgb24")
            frame.pts, frame.time_base = round(start * fps) + number, Fraction(1, fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def mirrored(data: bytes) -> bytes:
    """The MP4 as some front cameras make it: its frames are those of a mirror."""
    return _shown_by(MIRRORED, data)


def turned(data: bytes) -> bytes:
    """The MP4 as a telephone makes it that was held upright: its frames lie on their side."""
    return _shown_by(TURNED, data)


def _shown_by(matrix: bytes, data: bytes) -> bytes:
    """The MP4 with this matrix in the header of its track."""
    place = data.index(STILL, data.index(b"tkhd"))
    return data[:place] + matrix + data[place + len(STILL) :]


def sound_only() -> bytes:
    """A second of silence in an MP4."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        _sound(file, 1.0)
    return out.getvalue()


def with_sound(*scenes: Scene, fps: int = 10) -> bytes:
    """A video of these scenes with silence beside it, in a Matroska file."""
    seconds = sum(length for _, length in scenes)
    out = io.BytesIO()
    with (
        av.open(io.BytesIO(video(*scenes, fps=fps)), "r") as silent,
        av.open(out, "w", format="matroska") as file,
    ):
        seen = file.add_stream_from_template(silent.streams.video[0])
        stream: Any = file.add_stream("aac", rate=RATE)
        for packet in silent.demux(video=0):
            if packet.dts is not None:
                packet.stream = seen
                file.mux(packet)
        _silence(file, stream, seconds)
    return out.getvalue()


def _sound(file: Any, seconds: float) -> None:
    _silence(file, file.add_stream("aac", rate=RATE), seconds)


def _silence(file: Any, stream: Any, seconds: float) -> None:
    silence = np.zeros((1, round(RATE * seconds)), np.float32)
    frame = av.AudioFrame.from_ndarray(silence, "fltp", "mono")
    frame.sample_rate = RATE
    file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def _frames(scenes: Sequence[Scene], fps: int) -> Iterator[str]:
    """The color of each frame."""
    for color, seconds in scenes:
        yield from [color] * round(seconds * fps)


def _drawn(color: str, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    width, height = size
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = COLORS[color][0]
    picture[: height // 4, : width // 4] = (255, 255, 0)
    return picture
