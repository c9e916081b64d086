"""What else lies in a file: sound, titles, covers, a second picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.videos.case import OTHER, Case, Scene
from tests.videos.film import TWO, Film, copy_track, drawn, plain, reading, written
from tests.videos.usual import seen

HEARD = 8_000  # samples per second of sound
SOUNDS = {"mp4": "aac", "mov": "pcm_s16le", "matroska": "libopus", "avi": "mp2", "webm": "libopus"}
PICTURED = {
    "mp4": "libx264",
    "mov": "libx264",
    "matroska": "libx264",
    "avi": "mpeg4",
    "webm": "libvpx-vp9",
}


def hum(file: Any, codec: str, seconds: float) -> Any:
    """Yet to be written: a track of sound, and its packets."""
    rate = 48_000 if codec in ("libopus", "mp2") else HEARD
    stream = file.add_stream(codec, rate=rate, layout="mono")
    wave = np.sin(np.arange(round(rate * seconds)) / rate * 440 * 6.28)
    whole = codec in ("pcm_s16le", "mp2")
    samples = (wave * 9000).astype(np.int16) if whole else wave.astype(np.float32)
    form = "s16" if whole else ("fltp" if codec == "aac" else "flt")
    frame = av.AudioFrame.from_ndarray(samples[None, :], form, "mono")
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    frame.pts = 0
    return stream, frame


def together(
    container: str,
    *films: Film,
    scenes: tuple[tuple[Scene, ...], ...],
    sound: str = "",
    first: bool,
) -> bytes:
    """A file with these films as tracks, and sound before or behind them."""
    with written(container, {}) as (file, path):
        heard = hum(file, sound, 5.0) if sound and first else None
        tracks = [film.stream(file) for film in films]
        heard = heard or (hum(file, sound, 5.0) if sound else None)
        for track, film, shown in zip(tracks, films, scenes, strict=True):
            for frame in film.encoded_from(film.frames(*shown)):
                file.mux(track.encode(frame))
            file.mux(track.encode(None))
        if heard:
            stream, frame = heard
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        file.close()
        return path.read_bytes()


def sounds() -> Iterator[Case]:
    """Sound beside, before and behind the pictures."""
    for container, sound in SOUNDS.items():
        film = Film(codec=PICTURED[container], container=container)
        for first in (True, False):
            name = f"sounds/{'first' if first else 'second'}.{container}"
            data = together(container, film, scenes=(TWO,), sound=sound, first=first)
            yield seen(name, data, *TWO)
    longer: tuple[Scene, ...] = (("red", 1.0), ("blue", 1.0))
    for container in ("mp4", "matroska"):
        film = Film(container=container)
        data = together(container, film, scenes=(longer,), sound=SOUNDS[container], first=True)
        # the sound goes on for three seconds more: nothing to be seen is missing
        missing = False if container == "mp4" else None
        yield seen(f"sounds/longer.{container}", data, *longer, missing=missing)


def sound_alone() -> Iterator[Case]:
    """Nothing to be seen: whoever uploaded it has to know why."""
    for container, sound in SOUNDS.items():
        data = together(container, scenes=(), sound=sound, first=True)
        yield Case(name=f"sound-alone/{container}", data=data, fails=OTHER)
    with written("wav", {}) as (file, path):
        stream, frame = hum(file, "pcm_s16le", 1.0)
        file.mux(stream.encode(frame))
        file.close()
        yield Case(name="sound-alone/wav", data=path.read_bytes(), fails=OTHER)
    with_cover = covered("mp4", sound="aac", film=None)
    yield Case(name="sound-alone/with-cover.mp4", data=with_cover, fails=OTHER)


def two() -> Iterator[Case]:
    """Two pictures in one file: players show the first one, or the one that is marked."""
    other: tuple[Scene, ...] = (("green", 2.5), ("yellow", 2.5))
    for container in ("mp4", "mov", "matroska", "avi"):
        film = Film(codec=PICTURED[container], container=container)
        data = together(container, film, film, scenes=(TWO, other), first=False)
        yield seen(f"two/same.{container}", data, *TWO, size=film.size)
        small = Film(codec=PICTURED[container], container=container, size=(80, 64))
        data = together(container, film, small, scenes=(TWO, other), first=False)
        yield seen(f"two/smaller-second.{container}", data, *TWO, size=film.size)
        large = Film(codec=PICTURED[container], container=container, size=(320, 240))
        data = together(container, film, large, scenes=(TWO, other), first=False)
        yield seen(f"two/larger-second.{container}", data, *TWO, size=film.size)


def covered(container: str, *, sound: str, film: Film | None) -> bytes:
    """A file with a cover picture as its first track, and a film or sound behind."""
    out = io.BytesIO()
    Image.fromarray(drawn("green", (64, 64))).save(out, "JPEG")
    with written(container, {}) as (file, path):
        cover: Any = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        heard = hum(file, sound, 3.0) if sound else None
        track = film.stream(file) if film else None
        file.start_encoding()
        packet = av.Packet(out.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1, 1)
        packet.is_keyframe = True
        file.mux(packet)
        if film and track:
            for frame in film.encoded_from(film.frames(*TWO)):
                file.mux(track.encode(frame))
            file.mux(track.encode(None))
        if heard:
            file.mux(heard[0].encode(heard[1]))
            file.mux(heard[0].encode(None))
        file.close()
        return path.read_bytes()


def covers() -> Iterator[Case]:
    """A cover picture is not the video."""
    for container in ("mp4", "mov"):
        data = covered(container, sound="", film=Film())
        yield seen(f"covers/before.{container}", data, *TWO, size=(160, 120))
    data = covered("mp4", sound="aac", film=Film())
    yield seen("covers/with-sound.mp4", data, *TWO, size=(160, 120))
    with reading(plain()) as source, written("matroska", {}) as (file, path):
        out = io.BytesIO()
        Image.fromarray(drawn("green", (64, 64))).save(out, "JPEG")
        file.add_attachment("cover.jpg", "image/jpeg", out.getvalue())
        copy_track(source, file)
        file.close()
        yield seen("covers/attached.mkv", path.read_bytes(), *TWO, size=(160, 120))


def told() -> Iterator[Case]:
    """What a file tells about itself, in many letters."""
    for container in ("mp4", "mov", "matroska"):
        film = Film(container=container)
        with written(container, {}) as (file, path):
            file.metadata.update({"title": "红色连衣裙 👗" * 40, "comment": "\u202e" * 99})
            track = film.stream(file)
            track.metadata["language"] = "zho"
            for frame in film.encoded_from(film.frames(*TWO)):
                file.mux(track.encode(frame))
            file.mux(track.encode(None))
            file.close()
            yield seen(f"told/much.{container}", path.read_bytes(), *TWO)
    latin = plain().replace(b"VideoHandler", b"Vid\xe9o\xff\xfe\x80dler")
    yield seen("told/latin-letters.mp4", latin, *TWO)
