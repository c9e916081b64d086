"""A piece of a video as a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from mmsearch_core.adapters.video.container import Container, look, opened, track_of
from mmsearch_core.records.segment import Span
from mmsearch_core.settings import Decode

QUALITY = "20"  # constant rate factor of H.264: nothing to be seen of the second encoding
RATE = 30  # frames a second of a video that does not say
TICK = Fraction(1, 90_000)  # of a second, in which times of frames are kept, also of uneven ones


def cut(source: Path, span: Span, target: Path, settings: Decode) -> Path:
    """Write the span, with its sound, as MP4 (H.264, AAC) that any browser plays.

    It is encoded anew, since what is copied can begin at a key frame only. Returns the target;
    raises UnsupportedMedia, MediaTooLarge or UnreadableMedia as the opener of videos does.
    """
    import av

    video = look(source, settings)
    options = {"movflags": "faststart"}
    with (
        opened(source, video.demuxer) as reading,
        av.open(str(target), "w", format="mp4", options=options) as writing,
    ):
        outputs = _outputs(reading, writing, video)
        reading.seek(int(max(0.0, span.start - 1) * av.time_base))
        for stream, frame in _within(reading, list(outputs), span):
            output = outputs[stream]
            upright = _upright(frame, video) if output.type == "video" else frame
            upright.pts = round((frame.time - span.start) / frame.time_base)
            upright.time_base = frame.time_base
            writing.mux(output.encode(upright))
        for output in outputs.values():
            writing.mux(output.encode(None))
    return target


def _outputs(reading: Any, writing: Any, video: Container) -> dict[Any, Any]:
    """The streams that are written, by those that are read."""
    seen = track_of(reading)
    output = writing.add_stream("libx264", rate=seen.guessed_rate or Fraction(RATE))
    output.width, output.height = video.within(max(video.width, video.height))
    output.pix_fmt = "yuv420p"
    output.options = {"crf": QUALITY}
    output.codec_context.time_base = TICK
    outputs = {seen: output}
    for heard in reading.streams.audio[:1]:
        outputs[heard] = writing.add_stream("aac", rate=heard.rate)
    return outputs


def _within(reading: Any, streams: list[Any], span: Span) -> Iterator[tuple[Any, Any]]:
    """Frames of the span with their streams, until all streams are past it; none that is shown no
    later than its predecessor."""
    going = set(streams)
    last: dict[Any, float] = {}
    for stream, frame in _readable(reading, streams):
        if frame.time is None or frame.time < span.start:
            continue
        if frame.time <= last.get(stream, -1.0):
            continue
        last[stream] = frame.time
        if frame.time >= span.end:
            going.discard(stream)
        elif stream in going:
            yield stream, frame
        if not going:
            return


def _readable(reading: Any, streams: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Frames with their streams, without those that are damaged."""
    import av

    packets = reading.demux(streams)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        frames: list[Any] = []
        with suppress(av.error.FFmpegError, ValueError):
            frames = packet.decode()
        for frame in frames:
            yield packet.stream, frame


def _upright(frame: Any, video: Container) -> Any:
    """The frame as it is shown: turned, with square pixels."""
    import av

    width, height = video.within(max(video.width, video.height))
    if video.turned % 2:
        width, height = height, width
    if not video.turned and not video.mirrored:
        return frame.reformat(width=width, height=height, format="yuv420p")
    picture = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    return av.VideoFrame.from_ndarray(video.upright(picture))
