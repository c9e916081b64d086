"""Files that are broken, are no videos, lie about themselves, or mean harm."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
from PIL import Image

from tests.videos.case import ANY, BROKEN, DAMAGED, LARGE, OTHER, Case, Scene, sights
from tests.videos.film import TWO, Film, drawn, plain, written
from tests.videos.tracks import PICTURED, SOUNDS, together
from tests.videos.usual import seen

PERCENT = (1, 5, 20, 40, 60, 80, 95)
SIZE = (112, 64)
# options by which an encoder keeps noise
RICH = {
    "libx264": {"crf": "20"},
    "libx265": {"crf": "20"},
    "libsvtav1": {"crf": "20"},
    "mpeg4": {"b": "1M"},
}


@cache
def noisy(name: str) -> bytes:
    """Two seconds of red and three of blue under noise, so that all frames are of many bytes."""
    kinds: dict[str, Film] = {
        "fast-start.mp4": Film(muxing={"movflags": "faststart"}),
        "index-behind.mp4": Film(),
        "fragments.mp4": Film(muxing={"movflags": "frag_keyframe+empty_moov"}, options={"g": "5"}),
        "b.mp4": Film(options={"bf": "2", "b-adapt": "0"}, muxing={"movflags": "faststart"}),
        "hevc.mp4": Film(codec="libx265", muxing={"movflags": "faststart"}),
        "av1.mp4": Film(codec="libsvtav1", muxing={"movflags": "faststart"}),
        "h264.mkv": Film(container="matroska"),
        "vp8.webm": Film(codec="libvpx", container="webm"),
        "vp9.webm": Film(codec="libvpx-vp9", container="webm"),
        "ffv1.mkv": Film(codec="ffv1", container="matroska"),
        "mpeg4.avi": Film(codec="mpeg4", container="avi"),
        "mjpeg.avi": Film(codec="mjpeg", container="avi", pixels="yuvj420p"),
        "prores.mov": Film(codec="prores_ks", container="mov", pixels="yuv422p10le"),
        "png.mov": Film(codec="png", container="mov", pixels="rgb24"),
    }
    rich = RICH.get(kinds[name].codec, {})
    film = replace(kinds[name], size=SIZE, options={**kinds[name].options, **rich})
    rng = np.random.default_rng(17)
    return film.of_pictures(
        (at, (each // 8 * 6 + rng.integers(0, 64, each.shape)).astype(np.uint8))
        for at, each in film.frames(*TWO)
    )


# what can be read from the front, also of a part
FROM_THE_FRONT = (
    "fast-start.mp4",
    "fragments.mp4",
    "b.mp4",
    "hevc.mp4",
    "h264.mkv",
    "vp9.webm",
    "ffv1.mkv",
    "mpeg4.avi",
    "mjpeg.avi",
)


def cut() -> Iterator[Case]:
    """Uploads that broke off: what is there is seen, and how much is missing is said."""
    for name in FROM_THE_FRONT:
        data = noisy(name)
        for percent in PERCENT:
            part = data[: len(data) * percent // 100]
            yield Case(
                name=f"cut/{percent:02}-{name}",
                data=part,
                missing=None,
                gap=None,
                fails=BROKEN,  # what is cut within its index may seem to have no track
                either=True,
            )
    for name in ("index-behind.mp4", "prores.mov"):
        data = noisy(name)
        for percent in PERCENT:
            part = data[: len(data) * percent // 100]
            yield Case(name=f"cut/{percent:02}-{name}", data=part, fails=DAMAGED)


def half() -> Iterator[Case]:
    """Half of an upload is worth something, and not nothing."""
    for name in FROM_THE_FRONT:
        data = noisy(name)
        # neither a file of fragments nor an AVI says how much did not arrive
        told = None if name == "fragments.mp4" or name.endswith(".avi") else True
        yield Case(
            name=f"half/{name}",
            data=data[: len(data) * 6 // 10],
            sights=sights(*TWO),
            marked=False,
            tolerance=90,
            missing=told,
            gap=None,
        )


def damaged() -> Iterator[Case]:
    """Single bytes changed, anywhere: a video or a failure, never anything worse."""
    rng = random.Random(7)
    for name in ("index-behind.mp4", "fragments.mp4", "hevc.mp4", "av1.mp4", "h264.mkv"):
        for number in range(8):
            yield _hurt(f"damaged/{number:02}-{name}", noisy(name), rng, 1 + number * 3)
    for name in ("vp8.webm", "vp9.webm", "ffv1.mkv", "mpeg4.avi", "mjpeg.avi", "png.mov"):
        for number in range(8):
            yield _hurt(f"damaged/{number:02}-{name}", noisy(name), rng, 1 + number * 3)


def damaged_heads() -> Iterator[Case]:
    """Bytes changed where a file describes itself."""
    rng = random.Random(19)
    for name in ("fast-start.mp4", "fragments.mp4", "h264.mkv", "vp9.webm", "mpeg4.avi"):
        for number in range(12):
            yield _hurt(f"damaged-heads/{number:02}-{name}", noisy(name), rng, 2, most=700)


def _hurt(name: str, data: bytes, rng: random.Random, count: int, most: int = 0) -> Case:
    """The file with bytes changed among its first ``most``, or anywhere."""
    hurt = bytearray(data)
    for _ in range(count):
        hurt[rng.randrange(min(most or len(hurt), len(hurt)))] = rng.randrange(256)
    return Case(
        name=name,
        data=bytes(hurt),
        marked=False,
        missing=None,
        gap=None,
        fails=ANY,
        either=True,
    )


def holes() -> Iterator[Case]:
    """Stretches that are nought, as of a disk that lost them."""
    for name in ("fast-start.mp4", "h264.mkv", "vp9.webm", "mpeg4.avi", "mjpeg.avi"):
        data = noisy(name)
        for share in (3, 5, 8):
            start = len(data) * share // 10
            lost = data[:start] + bytes(len(data) // 20) + data[start + len(data) // 20 :]
            yield Case(
                name=f"holes/{share}-{name}",
                data=lost,
                missing=None,
                gap=None,
            )


def no_videos() -> Iterator[Case]:
    """What else is found under the name of a video."""
    rng = random.Random(11)
    for form in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"):
        out = io.BytesIO()
        Image.fromarray(drawn("red", (64, 48))).save(out, form)
        # an AVIF is a film of one frame
        avif = form == "AVIF"
        yield Case(
            name=f"no-video/{form}.mp4", data=out.getvalue(), fails=OTHER, either=avif, gap=None
        )
    things = {
        "html": b"<!doctype html><html><body>404 Not Found</body></html>",
        "json": b'{"error": "AccessDenied"}',
        "xml": b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>",
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF",
        "zip": b"PK\x03\x04" + bytes(200),
        "text": "一段视频".encode(),
        "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nhello\n",
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
        "playlist-of-addresses": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        "concat": b"ffconcat version 1.0\nfile /etc/hostname\n",
        "dash": b"<?xml version='1.0'?><MPD><BaseURL>file:///etc/</BaseURL></MPD>",
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        "zeros": bytes(4096),
        "wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
    }
    for name, data in things.items():
        yield Case(name=f"no-video/{name}.mp4", data=data, fails=OTHER)
    for number in range(6):
        noise = rng.randbytes(rng.randrange(1, 5000))
        yield Case(name=f"no-video/noise-{number}.mp4", data=noise, fails=OTHER)
    for container in ("flv", "mpegts", "mpeg", "asf"):
        codec = {"flv": "flv", "asf": "wmv2", "mpeg": "mpeg2video"}.get(container, "libx264")
        film = Film(codec=codec, container=container, rate=Fraction(25))
        yield Case(name=f"no-video/of-{container}.mp4", data=film.of(("red", 0.4)), fails=OTHER)


def heads_only() -> Iterator[Case]:
    """Nothing, or little more than nothing."""
    data = {
        "empty": b"",
        "one-byte": b"\0",
        "mp4-mark": plain()[:32],
        "mp4-no-frames": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(300),
        "mp4-index-only": _without(plain(), b"mdat"),
        "mp4-no-index": _without(plain(), b"moov"),
        "mkv-mark": b"\x1a\x45\xdf\xa3",
        "mkv-head": noisy("h264.mkv")[:60],
        "webm-head": noisy("vp9.webm")[:300],
        "avi-mark": b"RIFF\xff\xff\xff\x7fAVI ",
        "avi-head": noisy("mpeg4.avi")[:300],
        "boxes": b"\0\0\0\x08free" * 3000,
        "boxes-in-boxes": _nested(400),
        "endless-box": b"\0\0\0\0moov" + bytes(500),
        "backward-box": b"\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xf0" + bytes(500),
    }
    for name, head in data.items():
        fails = BROKEN if name == "one-byte" else DAMAGED
        yield Case(name=f"heads-only/{name}", data=head, fails=fails | BROKEN)
    for container in ("mp4", "matroska", "avi"):
        with written(container, {}) as (file, path):
            codec = "mpeg4" if container == "avi" else "libx264"
            Film(codec=codec, container=container).stream(file)
            file.start_encoding()
            file.close()
            yield Case(
                name=f"heads-only/zero-frames.{container}", data=path.read_bytes(), fails=BROKEN
            )


def _without(data: bytes, box: bytes) -> bytes:
    """The MP4 without one of its outer boxes."""
    place, kept = 0, b""
    while place + 8 <= len(data):
        size = struct.unpack(">I", data[place : place + 4])[0]
        if data[place + 4 : place + 8] != box:
            kept += data[place : place + size]
        place += size
    return kept


def _nested(depth: int) -> bytes:
    box = b""
    for _ in range(depth):
        box = struct.pack(">I4s", 8 + len(box), b"moov") + box
    return box


def lies() -> Iterator[Case]:
    """Headers that say another duration: what is seen is what is there."""
    durations = {"nought": 0, "one": 1, "huge": 2**32 - 2, "unknown": 2**32 - 1, "hour": 3_600_000}
    for name, ticks in durations.items():
        for boxes in ((b"mvhd",), (b"mdhd",), (b"tkhd",), (b"mvhd", b"mdhd", b"tkhd")):
            data = plain()
            for box in boxes:
                data = _lasting(data, box, ticks)
            which = "-".join(box.decode() for box in boxes)
            # whether seconds are missing nobody can know
            yield seen(f"lies/{name}-{which}.mp4", data, *TWO, gap=None, missing=None)
    matroska = Film(container="matroska").of(*TWO)
    place = matroska.index(b"\x44\x89\x88") + 3
    for name, seconds in {"nought": 0.0, "negative": -5.0, "hour": 3600.0, "huge": 1e300}.items():
        told = struct.pack(">d", seconds * 1000)
        data = matroska[:place] + told + matroska[place + 8 :]
        yield seen(f"lies/{name}.mkv", data, *TWO, gap=None, missing=None)
    for name, told in {"nan": b"\x7f\xf8" + bytes(6), "infinite": b"\x7f\xf0" + bytes(6)}.items():
        data = matroska[:place] + told + matroska[place + 8 :]
        yield seen(f"lies/{name}.mkv", data, *TWO, gap=None, missing=None)
    avi = Film(codec="mpeg4", container="avi").of(*TWO)
    place = avi.index(b"avih") + 8 + 16
    for name, count in {"nought": 0, "many": 2**31 - 1, "one": 1}.items():
        data = avi[:place] + struct.pack("<I", count) + avi[place + 4 :]
        yield seen(f"lies/{name}.avi", data, *TWO, gap=None, missing=None)
        track = avi.index(b"strh") + 8 + 32
        data = avi[:track] + struct.pack("<I", count) + avi[track + 4 :]
        yield seen(f"lies/{name}-track.avi", data, *TWO, gap=None, missing=None)


def _lasting(data: bytes, box: bytes, ticks: int) -> bytes:
    """The MP4 with another duration in this header (of version 0)."""
    behind = {b"mvhd": 16, b"mdhd": 16, b"tkhd": 20}
    place = data.index(box) + 4 + behind[box]
    return data[:place] + struct.pack(">I", ticks) + data[place + 4 :]


def sizes_that_lie() -> Iterator[Case]:
    """Headers that say another size than the frames have."""
    for width, height in ((0, 0), (1, 1), (60_000, 60_000), (320, 240)):
        data = plain()
        place = data.index(b"avc1", data.index(b"stsd")) + 28
        data = data[:place] + struct.pack(">HH", width, height) + data[place + 4 :]
        yield seen(f"sizes-that-lie/{width}x{height}.mp4", data, *TWO, size=None)
    avi = Film(codec="ffv1", container="avi").of(*TWO)
    place = avi.index(b"strf") + 12
    for width, height in ((30_000, 30_000), (8, 8), (0, 0), (2**31 - 1, 2**31 - 1)):
        data = avi[:place] + struct.pack("<II", width, height) + avi[place + 8 :]
        yield Case(
            name=f"sizes-that-lie/{width}x{height}.avi",
            data=data,
            gap=None,
            missing=None,
            marked=False,
            fails=ANY,
            either=True,
        )


def bombs() -> Iterator[Case]:
    """Little files that would fill the memory or take for ever."""
    large = Film(size=(16_000, 9_000), codec="png", container="mov", pixels="gray")
    black = np.zeros((9_000, 16_000, 3), np.uint8)
    yield Case(
        name="bombs/large-frame.mov",
        data=large.of_pictures(iter([(0.0, black)])),
        fails=LARGE,
    )
    # a header that says how many samples there are, and has none of them
    for box, count in ((b"stsz", 2**31), (b"stts", 2**31), (b"stco", 2**31), (b"stsc", 2**31)):
        data = plain()
        place = data.index(box) + 8 + (4 if box == b"stsz" else 0)
        data = data[:place] + struct.pack(">I", count) + data[place + 4 :]
        yield _hostile(f"bombs/many-{box.decode()}.mp4", data)
    same = plain()
    place = same.index(b"stts") + 12
    for name, entry in {
        "count": struct.pack(">II", 2**31 - 1, 1),
        "step": struct.pack(">II", 50, 2**31 - 1),
        "still": struct.pack(">II", 50, 0),
        "back": struct.pack(">Ii", 50, -1024),
    }.items():
        yield _hostile(f"bombs/steps-{name}.mp4", same[:place] + entry + same[place + 8 :])
    for name, scale in {"nought": 0, "one": 1, "huge": 2**32 - 1}.items():
        for box in (b"mvhd", b"mdhd"):
            place = same.index(box) + 4 + 12
            data = same[:place] + struct.pack(">I", scale) + same[place + 4 :]
            yield _hostile(f"bombs/ticks-{name}-{box.decode()}.mp4", data)
    # a cluster of unknown size within itself, again and again
    cluster = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff"
    head = noisy("h264.mkv")[:500]
    yield _hostile("bombs/clusters.mkv", head + cluster * 20_000)
    yield _hostile(
        "bombs/riffs.avi", noisy("mpeg4.avi")[:2000] + b"LIST\xff\xff\xff\x7fmovi" * 9999
    )


def _hostile(name: str, data: bytes) -> Case:
    return Case(name=name, data=data, gap=None, missing=None, marked=False, fails=ANY, either=True)


def steep() -> Iterator[Case]:
    """So thin that nobody sees a product on it."""
    for width, height in ((1000, 2), (2, 1000), (1608, 4)):
        for container in ("matroska", "mp4"):
            film = Film(container=container, size=(width, height))
            scene: Scene = ("red", 0.4)
            yield Case(name=f"steep/{width}x{height}.{container}", data=film.of(scene), fails=OTHER)


def behind() -> Iterator[Case]:
    """What else was written behind a video that is whole."""
    other = Film(size=(80, 64)).of(("green", 2.0))
    tails = {
        "itself": plain(),
        "another": other,
        "zeros": bytes(100_000),
        "noise": random.Random(3).randbytes(50_000),
        "text": b"<html>" * 500,
        "mkv": Film(container="matroska").of(("green", 2.0)),
    }
    starts: dict[str, bytes] = {
        "mp4": plain(),
        "fast-start.mp4": Film(muxing={"movflags": "faststart"}).of(*TWO),
        "avi": Film(codec="mpeg4", container="avi").of(*TWO),
    }
    for name, tail in tails.items():
        for ending, data in starts.items():
            yield seen(f"behind/{name}.{ending}", data + tail, *TWO, missing=None)
    # of two Matroska files one behind the other, players show the first, or both
    twice = Film(container="matroska").of(*TWO)
    yield Case(name="behind/itself.matroska", data=twice * 2, gap=None, missing=None)
    fragments = Film(muxing={"movflags": "frag_keyframe+empty_moov"}).of(*TWO)
    yield Case(name="behind/fragments.mp4", data=fragments * 2, gap=None, missing=None)
    for container, sound in SOUNDS.items():
        film = Film(codec=PICTURED[container], container=container)
        whole = together(container, film, scenes=(TWO,), sound=sound, first=False)
        yield seen(f"behind/sound-and-zeros.{container}", whole + bytes(999), *TWO, missing=None)
