"""A video becomes its shots: for whichever process is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mmsearch_core.adapters.video.container import Container, look
from mmsearch_core.adapters.video.frames import DecordGaveUp, Shown, by_decord, by_pyav
from mmsearch_core.adapters.video.shots import Shots
from mmsearch_core.errors import BadRecord, UnreadableMedia, UnsupportedMedia
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.media import Content
from mmsearch_core.records.segment import Decoded
from mmsearch_core.settings import Decode

LITTLE = 1.0  # seconds that may be missing, since headers round up
# what opening a video imports
MODULES = (
    __name__,
    "av",
    "decord",
    "scenedetect.detectors",
    "PIL.JpegImagePlugin",
)


def open_video(content: Content, settings: Decode) -> list[Decoded]:
    """The opener of videos: one segment a shot, with its key frame, and with the frames that show
    it, each with its time.

    decord reads the frames; what it cannot read or gives no times for, PyAV reads as far as it
    goes, and the last segment says how many seconds of the video are ``missing``. All times are
    those of a player's clock. Raises UnsupportedMedia, MediaTooLarge or UnreadableMedia.
    """
    try:
        import av  # noqa: F401 looked for
        import decord  # noqa: F401
        import scenedetect  # noqa: F401
    except ModuleNotFoundError as error:
        raise UnsupportedMedia(
            "Videos need decord2, PyAV and PySceneDetect: install mmsearch with the extra media"
            " (mmsearch[media])."
        ) from error
    try:
        if isinstance(content, bytes):
            with own_folder() as folder:
                path = Path(folder, "video")
                path.write_bytes(content)
                return _shots(path, settings)
        return _shots(content, settings)
    except (BadRecord, MemoryError):
        raise
    except Exception as error:  # FFmpeg's wrappers raise whatever they meet in bytes like these
        raise UnreadableMedia(
            f"The video is damaged ({type(error).__name__}): export it again."
        ) from error


def _shots(path: Path, settings: Decode) -> list[Decoded]:
    video = look(path, settings)
    try:
        shots = _seen(video, settings, by_decord)
    except DecordGaveUp:
        shots = _seen(video, settings, by_pyav)
    found = shots.all()
    if not found:
        raise UnreadableMedia("No frame of the video can be read: export it again.")
    behind = max(0.0, (video.duration or 0.0) - shots.end)
    missing = round(shots.lost + behind, 3)
    if missing > LITTLE:
        found[-1] = replace(found[-1], missing=missing)
    return found


def _seen(
    video: Container,
    settings: Decode,
    frames: Callable[[Container, tuple[int, int]], Iterator[Shown]],
) -> Shots:
    shots = Shots(settings, start=video.start, duration=video.duration)
    for shown in frames(video, video.within(settings.longest_side)):
        shots.take(shown)
    return shots
