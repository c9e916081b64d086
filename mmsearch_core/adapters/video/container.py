"""What a video file says of itself, as far as it can be believed."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsearch_core.adapters.pillow_picture import STEEPEST
from mmsearch_core.errors import MediaTooLarge, UnreadableMedia, UnsupportedMedia
from mmsearch_core.settings import Decode

if TYPE_CHECKING:
    import numpy as np

HEAD = 64  # bytes of a file that say which container it is
# the first box of a file of the MP4 family, at byte 4
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof")
LONGEST = 10 * 24 * 3600.0  # seconds; a header that says more lies


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The first video track of a file."""

    path: Path
    demuxer: str  # FFmpeg's name of the container's format
    width: int  # pixels as shown: upright and square
    height: int
    turned: int  # by how many quarters, counterclockwise, a decoded frame has to be turned
    mirrored: bool  # whether it has to be turned upside down before
    start: float  # when its first frame is shown, in seconds on a player's clock
    duration: float | None  # seconds from ``start``; None where the file does not say
    frames: int  # that its index lists; 0 where it lists none

    def within(self, side: int) -> tuple[int, int]:
        """Width and height of a frame whose longer side is at most ``side`` pixels, both even."""
        scale = min(1.0, side / max(self.width, self.height))
        return _even(self.width * scale), _even(self.height * scale)

    def upright(self, picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """A decoded frame, of shape (height, width, 3), as it is shown."""
        import numpy as np

        facing = picture[::-1] if self.mirrored else picture
        return np.ascontiguousarray(np.rot90(facing, k=self.turned))


def look(path: Path, settings: Decode) -> Container:
    """What the file says, with its first frame decoded; raises UnsupportedMedia, MediaTooLarge or
    UnreadableMedia."""
    demuxer = demuxer_of(path)
    with opened(path, demuxer) as container:
        stream = _track(container)
        frame = _first_frame(container, stream)
        width, height = _as_shown(frame, stream)
        if width * height > settings.most_pixels:
            raise MediaTooLarge(
                f"{width} x {height} pixels is over decode.most_pixels ({settings.most_pixels})."
            )
        if max(width, height) > STEEPEST * min(width, height):
            raise UnsupportedMedia(
                f"{width} x {height} pixels: one side is over {STEEPEST} times the other."
            )
        start = max(0.0, float(stream.start_time * stream.time_base if stream.start_time else 0))
        return Container(
            path=path,
            demuxer=demuxer,
            width=width,
            height=height,
            turned=_quarters(frame),
            mirrored=_is_mirrored(frame),
            start=start,
            duration=_duration(container, stream, start),
            frames=stream.frames,
        )


def demuxer_of(path: Path) -> str:
    """FFmpeg's name of the container, by the file's first bytes. FFmpeg's own guess may be a format
    that makes it open other files and addresses (a playlist), so it is not asked."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise UnreadableMedia("The file is empty: upload it again.")
    if head[4:8] in BOXES:
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:11] == b"AVI":
        return "avi"
    raise UnsupportedMedia(
        "This is no video in one of the formats MP4, MOV, MKV, WebM and AVI, whatever its name"
        " says: export it as MP4."
    )


@contextmanager
def opened(path: Path, demuxer: str) -> Iterator[Any]:
    """The file as PyAV's container; UnreadableMedia where it is damaged."""
    import av

    av.logging.set_level(None)
    try:
        with av.open(str(path), format=demuxer, metadata_errors="replace") as container:
            yield container
    except av.error.FFmpegError as error:
        raise UnreadableMedia(
            f"The video is damaged ({type(error).__name__}): export it again."
        ) from error


def track_of(container: Any) -> Any:
    """The first video track that is no cover picture, decoded with one thread: threads cost address
    space, and files are opened side by side. None where there is none."""
    import av

    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            stream.thread_type = "NONE"
            return stream
    return None


def _track(container: Any) -> Any:
    stream = track_of(container)
    if stream is None:
        raise UnsupportedMedia("The file has no video track: upload one that shows the product.")
    if stream.codec_context is None:
        raise UnsupportedMedia("The video's codec is not known here: export it as H.264 in MP4.")
    return stream


def _first_frame(container: Any, stream: Any) -> Any:
    for packet in container.demux(stream):
        with suppress(OSError, ValueError):  # FFmpeg's errors are these; the next packet may do
            for frame in packet.decode():
                return frame
    raise UnreadableMedia("No frame of the video can be read: export it again.")


def _as_shown(frame: Any, stream: Any) -> tuple[int, int]:
    """Width and height, of square pixels and upright."""
    ratio = _pixel_ratio(stream)
    wide = max(1, round(frame.width * ratio)) if ratio >= 1 else frame.width
    high = frame.height if ratio >= 1 else max(1, round(frame.height / ratio))
    return (high, wide) if _quarters(frame) % 2 else (wide, high)


def _pixel_ratio(stream: Any) -> float:
    """Width of a pixel by its height; 1 where the file says nothing that can be."""
    ratio = float(stream.sample_aspect_ratio or 1)
    return ratio if 1 / 16 <= ratio <= 16 else 1.0


def _quarters(frame: Any) -> int:
    degrees: float = frame.rotation
    # a matrix of noughts turns by as many degrees as there are numbers
    return round(degrees / 90) % 4 if abs(degrees) <= 360 else 0


def _is_mirrored(frame: Any) -> bool:
    """Whether a player shows the frame's other side, as some front cameras ask for."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    right, down, _, left, up = struct.unpack("=5i", bytes(matrix)[:20])
    return bool(right * up < down * left)


def _duration(container: Any, stream: Any, start: float) -> float | None:
    """Seconds from ``start``."""
    import av

    known = None
    if stream.duration:
        known = float(stream.duration * stream.time_base)
    elif container.duration:
        known = container.duration / av.time_base
    if known and not stream.frames:  # Matroska and fragments of MP4, which count from nought
        known -= start
    return known if known and math.isfinite(known) and 0 < known <= LONGEST else None


def _even(pixels: float) -> int:
    return max(2, 2 * round(pixels / 2))
