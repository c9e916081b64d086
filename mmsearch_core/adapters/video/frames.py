"""The frames of a video one after the other, bounded in size, so that a long one takes no more
memory than a short one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsearch_core.adapters.video.container import LONGEST, Container, opened, track_of

if TYPE_CHECKING:
    import numpy as np

BLOCK = 10_000  # times asked of decord at once
LOST = 1e-9  # share of its frames that decord may make up; 0 would mean any
DAMAGED = 100  # packets that PyAV cannot decode, one after the other, until it gives up


class Shown(NamedTuple):
    """A frame while it is shown, in seconds from the first frame."""

    start: float
    end: float
    picture: np.ndarray[Any, Any]  # shape (height, width, 3), RGB
    lost: float = 0.0  # seconds before it that could not be read


class DecordGaveUp(Exception):
    """decord cannot read the file, or its times cannot be."""


def by_decord(video: Container, size: tuple[int, int]) -> Iterator[Shown]:
    """All frames, in ``size``; raises DecordGaveUp, also after some frames."""
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    width, height = size
    if video.mirrored:
        raise DecordGaveUp("it turns frames, and does not mirror them")
    if video.frames > video.path.stat().st_size:  # decord would ask for memory for all, and die
        raise DecordGaveUp(f"the index lists {video.frames} frames, which the file cannot have")
    try:
        reader = decord.VideoReader(
            str(video.path),
            ctx=decord.cpu(0),
            width=width,
            height=height,
            num_threads=1,
            fault_tol=LOST,
        )
        for start, end in _times(reader):
            picture = reader.next().asnumpy()
            if picture.shape != (height, width, 3):  # decord mistakes the padding of narrow lines
                raise DecordGaveUp(f"a frame has the shape {picture.shape}")
            yield Shown(start, end, picture)
    except (
        decord.DECORDError,
        decord.DECORDLimitReachedError,  # no DECORDError: more than LOST of the frames is made up
        RuntimeError,
        AssertionError,
        StopIteration,
    ) as error:
        raise DecordGaveUp(str(error).partition("\n")[0]) from None


def _times(reader: Any) -> Iterator[tuple[float, float]]:
    """When each frame is shown; raises DecordGaveUp where these are no times."""
    last = -math.inf
    for first in range(0, len(reader), BLOCK):
        numbers = range(first, min(first + BLOCK, len(reader)))
        for start, end in reader.get_frame_timestamp(numbers).tolist():
            if not (0 <= start <= end <= LONGEST) or start <= last:
                raise DecordGaveUp(f"a frame is shown from {start} to {end} s, after {last} s")
            yield start, end
            last = start


def by_pyav(video: Container, size: tuple[int, int]) -> Iterator[Shown]:
    """All frames that can be read, in ``size``, upright; damaged ones are left out, and so is one
    that is shown before its predecessor."""
    width, height = size if video.turned % 2 == 0 else size[::-1]
    last, lost = -math.inf, 0.0
    for frame, damaged in _decoded(video):
        lost += damaged
        if frame.time is None:
            continue
        start = frame.time - video.start
        if start < 0 or start <= last:
            continue
        shown = float(frame.duration * frame.time_base) if frame.duration else 0.0
        small = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
        yield Shown(start, start + shown, video.upright(small), lost)
        last, lost = start, 0.0


def _decoded(video: Container) -> Iterator[tuple[Any, float]]:
    """Frames as PyAV has them, each with the seconds of the packets just before that it cannot
    decode."""
    import av

    with opened(video.path, video.demuxer) as container:
        damaged, lost = 0, 0.0
        packets = container.demux(track_of(container))
        while damaged < DAMAGED:
            packet = None
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, ValueError):
                damaged += 1
                lost += _seconds(packet)
                continue
            damaged = 0
            for frame in frames:
                yield frame, lost
                lost = 0.0


def _seconds(packet: Any) -> float:
    """How long what is in the packet is shown, where it says so."""
    if packet is None or not packet.duration:
        return 0.0
    return float(packet.duration * packet.time_base)
