"""Videos of plain scenes, encoded as people's cameras and editors do."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.videos.case import COLORS, Scene

Picture = np.ndarray[Any, Any]  # shape (height, width, 3), RGB
FAST = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=none"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "b": "1M"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "b": "1M"},
}
TWO: tuple[Scene, ...] = (("red", 2.0), ("blue", 3.0))
SIZE = (160, 120)


@dataclass(frozen=True, kw_only=True)
class Film:
    """How a video is encoded.

    :param size: width and height in pixels.
    :param ticks: per second, of the times of frames; the rate of the frames where it is 0.
    :param options: of the encoder, besides those that make it fast.
    :param attributes: of PyAV's codec context.
    :param muxing: options of the container.
    """

    codec: str = "libx264"
    container: str = "mp4"
    rate: Fraction = Fraction(10)
    ticks: int = 0
    size: tuple[int, int] = SIZE
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    muxing: Mapping[str, str] = field(default_factory=dict)

    def of(self, *scenes: Scene, start: float = 0.0) -> bytes:
        """The video of these scenes, whose first frame is shown at ``start``."""
        return self.of_pictures(self.frames(*scenes, start=start))

    def frames(self, *scenes: Scene, start: float = 0.0) -> Iterator[tuple[float, Picture]]:
        """The frames of the scenes, with the seconds at which they are shown."""
        number = 0
        for color, seconds in scenes:
            for _ in range(round(seconds * self.rate)):
                yield start + number / float(self.rate), drawn(color, self.size)
                number += 1

    def of_pictures(self, pictures: Iterator[tuple[float, Picture]]) -> bytes:
        """The video of these pictures, each with the seconds at which it is shown."""
        with written(self.container, self.muxing) as (file, path):
            stream = self.stream(file)
            for frame in self.encoded_from(pictures):
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
            file.close()
            return path.read_bytes()

    def stream(self, file: Any) -> Any:
        """A video track for ``file``."""
        stream = file.add_stream(self.codec, rate=self.rate)
        stream.width, stream.height = self.size
        stream.pix_fmt = self.pixels
        stream.options = {**FAST.get(self.codec, {}), **self.options}
        stream.codec_context.time_base = self._time_base()
        stream.time_base = self._time_base()
        for name, value in self.attributes.items():
            setattr(stream.codec_context, name, value)
        return stream

    def encoded_from(self, pictures: Iterator[tuple[float, Picture]]) -> Iterator[Any]:
        """PyAV's frames for the encoder."""
        space = self.attributes.get("colorspace")
        for seconds, picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            if space is not None:
                wide = self.attributes.get("color_range")
                frame = frame.reformat(
                    format=self.pixels, dst_colorspace=space, dst_color_range=wide
                )
            frame.time_base = self._time_base()
            frame.pts = round(seconds / frame.time_base)
            yield frame

    def _time_base(self) -> Fraction:
        return Fraction(1, self.ticks) if self.ticks else 1 / self.rate


@cache
def drawn(color: str, size: tuple[int, int]) -> Picture:
    """A picture of this color with a mark in its upper left corner."""
    return marked(np.full((size[1], size[0], 3), COLORS[color], np.uint8))


def marked(picture: Picture) -> Picture:
    """The picture with a white mark in its upper left corner."""
    height, width, _ = picture.shape
    picture[: max(1, height // 4), : max(1, width // 4)] = 255
    return picture


@cache
def plain() -> bytes:
    """Two seconds of red and three of blue, as most people's videos are encoded."""
    return Film().of(*TWO)


def moving(
    film: Film, seconds: float, draw: Callable[[float], Picture]
) -> Iterator[tuple[float, Picture]]:
    """Frames that are drawn by how much of the video is over, from 0 to 1."""
    count = round(seconds * film.rate)
    for number in range(count):
        yield number / float(film.rate), draw(number / max(1, count - 1))


def packets(data: bytes) -> list[Any]:
    """The packets of a video's first track, in the order in which they are stored."""
    with reading(data) as file:
        return [packet for packet in file.demux(video=0) if packet.size]


def remuxed(data: bytes, container: str, muxing: Mapping[str, str] | None = None) -> bytes:
    """The same packets in another container."""
    with reading(data) as source, written(container, muxing or {}) as (file, path):
        copy_track(source, file)
        file.close()
        return path.read_bytes()


def copy_track(source: Any, file: Any) -> None:
    """Write the first video track of ``source`` into ``file``, packet by packet."""
    track = file.add_stream_from_template(source.streams.video[0])
    for packet in source.demux(video=0):
        if packet.size:
            packet.stream = track
            file.mux(packet)


def reading(data: bytes) -> Any:
    """The video as PyAV's container."""
    return av.open(io.BytesIO(data))


@contextmanager
def written(container: str, muxing: Mapping[str, str]) -> Iterator[tuple[Any, Path]]:
    """A file to write a video to, and where it lies: some ways of writing read it again."""
    with tempfile.TemporaryDirectory(prefix="mmsearch-") as folder:
        path = Path(folder, "video")
        with av.open(str(path), "w", format=container, options=dict(muxing)) as file:
            yield file, path
