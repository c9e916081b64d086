"""Codecs, containers and ways of keeping colors, as cameras, telephones and editors use them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from tests.videos.case import COLORS, SIZES, Case, Scene, bounds, shots, sights
from tests.videos.film import SIZE, TWO, Film, remuxed

# containers by codec, and how it keeps colors
CODECS: dict[str, tuple[str, str]] = {
    "libx264": ("mp4 mov matroska avi 3gp ismv ipod", "yuv420p"),
    "libx265": ("mp4 mov matroska", "yuv420p"),
    "libvpx": ("webm matroska", "yuv420p"),
    "libvpx-vp9": ("webm matroska mp4 avi", "yuv420p"),
    "libsvtav1": ("mp4 webm matroska", "yuv420p"),
    "mpeg4": ("mp4 mov matroska avi 3gp", "yuv420p"),
    "mjpeg": ("mp4 mov matroska avi", "yuvj420p"),
    "ffv1": ("matroska avi", "yuv420p"),
    "msmpeg4v2": ("avi", "yuv420p"),
    "msmpeg4": ("avi", "yuv420p"),
    "wmv1": ("avi", "yuv420p"),
    "wmv2": ("avi", "yuv420p"),
    "h263p": ("avi", "yuv420p"),
    "flv": ("avi", "yuv420p"),
    "prores_ks": ("mov", "yuv422p10le"),
    "ffvhuff": ("avi", "yuv420p"),
    "utvideo": ("avi", "yuv420p"),
    "rawvideo": ("mov", "rgb24"),
    "png": ("mov avi", "rgb24"),
    "qtrle": ("mov", "rgb24"),
    "svq1": ("mov", "yuv410p"),
    "magicyuv": ("avi", "gbrp"),
    "cfhd": ("mov", "yuv422p10le"),
    "zmbv": ("avi", "bgr0"),
    "snow": ("avi", "yuv420p"),
    "jpegls": ("avi", "rgb24"),
}
# those that know the rates of television only, with the sizes that they know
TELEVISION: dict[str, tuple[str, Fraction, tuple[int, int]]] = {
    "mpeg1video": ("mp4 matroska avi", Fraction(25), SIZE),
    "mpeg2video": ("mp4 matroska avi", Fraction(25), SIZE),
    "h263": ("3gp mov avi", Fraction(30000, 1001), (176, 144)),
    "h261": ("avi", Fraction(30000, 1001), (176, 144)),
}
WIDE = {"h263": (192, 144)}  # as shown: its pixels are wider than high
# layouts of MP4 with a list of edits
LISTED = {"behind", "fast-start", "cmaf", "small-index", "brand", "other-ticks", "few-ticks"}
LOSSLESS: dict[str, Any] = {"codec": "ffv1", "container": "matroska"}


def seen(name: str, data: bytes, *scenes: Scene, start: float = 0.0, **differs: Any) -> Case:
    """A case in which each scene is a shot."""
    expected: dict[str, Any] = {
        "shots": shots(*bounds(*scenes, start=start)),
        "sights": sights(*scenes, start=start),
    }
    return Case(name=name, data=data, **{**expected, **differs})


def codecs() -> Iterator[Case]:
    """Every codec in the containers that people put it into."""
    for codec, (containers, pixels) in CODECS.items():
        for container in containers.split():
            film = Film(codec=codec, container=container, pixels=pixels)
            yield seen(f"codecs/{codec}.{container}", film.of(*TWO), *TWO, size=SIZE)
    for codec, (containers, rate, size) in TELEVISION.items():
        for container in containers.split():
            film = Film(codec=codec, container=container, rate=rate, size=size)
            yield seen(
                f"codecs/{codec}.{container}", film.of(*TWO), *TWO, size=WIDE.get(codec, size)
            )
    red: Scene = ("red", 0.2)
    tape = Film(codec="dvvideo", container="avi", rate=Fraction(25), size=(720, 576))
    yield seen("codecs/dvvideo.avi", tape.of(red), red, size=None)


def misnamed() -> Iterator[Case]:
    """A name says nothing: what counts is what lies inside."""
    for container in ("mp4", "matroska", "avi"):
        data = Film(container=container).of(*TWO)
        for ending in ("mov", "webm", "txt"):
            yield seen(f"misnamed/{container}.{ending}", data, *TWO)


def samples() -> Iterator[Case]:
    """Bits and planes: ten bits, every density of color, grey, and colors with transparency."""
    ways: dict[str, tuple[dict[str, Any], int]] = {
        "h264-422": ({"pixels": "yuv422p"}, 20),
        "h264-444": ({"pixels": "yuv444p"}, 20),
        "h264-rgb": ({"codec": "libx264rgb", "pixels": "rgb24"}, 20),
        "h264-ten-bits": ({"pixels": "yuv420p10le"}, 20),
        "h264-422-ten-bits": ({"pixels": "yuv422p10le"}, 20),
        "hevc-ten-bits": ({"codec": "libx265", "pixels": "yuv420p10le"}, 20),
        "hevc-444": ({"codec": "libx265", "pixels": "yuv444p"}, 20),
        "hevc-twelve-bits": ({"codec": "libx265", "pixels": "yuv420p12le"}, 20),
        "vp9-444": ({"codec": "libvpx-vp9", "container": "webm", "pixels": "yuv444p"}, 20),
        "vp9-rgb": ({"codec": "libvpx-vp9", "container": "webm", "pixels": "gbrp"}, 20),
        "av1-ten-bits": ({"codec": "libsvtav1", "pixels": "yuv420p10le"}, 20),
        "lossless-411": (LOSSLESS | {"pixels": "yuv411p"}, 20),
        "lossless-sixteen-bits": (LOSSLESS | {"pixels": "yuv444p16le"}, 20),
        "lossless-rgb": (LOSSLESS | {"pixels": "bgr0"}, 12),
        "lossless-deep-rgb": (LOSSLESS | {"pixels": "gbrp14le"}, 12),
        "prores-4444": (
            {"codec": "prores_ks", "container": "mov", "pixels": "yuva444p10le"},
            20,
        ),
        "alpha-png": ({"codec": "png", "container": "mov", "pixels": "rgba"}, 12),
        "alpha-qtrle": ({"codec": "qtrle", "container": "mov", "pixels": "argb"}, 12),
        "alpha-vp9": ({"codec": "libvpx-vp9", "container": "webm", "pixels": "yuva420p"}, 20),
        "alpha-ffv1": (LOSSLESS | {"pixels": "bgra"}, 12),
        "deep-png": ({"codec": "png", "container": "mov", "pixels": "rgb48be"}, 12),
        "motion-jpeg-444": ({"codec": "mjpeg", "container": "avi", "pixels": "yuvj444p"}, 20),
        "raw-bgr": ({"codec": "rawvideo", "container": "avi", "pixels": "bgr24"}, 12),
        "raw-422": ({"codec": "rawvideo", "container": "avi", "pixels": "uyvy422"}, 20),
    }
    for name, (way, tolerance) in ways.items():
        yield seen(f"samples/{name}", Film(**way).of(*TWO), *TWO, tolerance=tolerance, size=SIZE)


def greys() -> Iterator[Case]:
    """Films without color, dark and bright."""
    scenes: tuple[Scene, ...] = (("black", 2.0), ("grey", 2.0))
    ways: dict[str, dict[str, Any]] = {
        "h264": {"pixels": "gray"},
        "h264-ten-bits": {"pixels": "gray10le"},
        "hevc": {"codec": "libx265", "pixels": "gray"},
        "ffv1": LOSSLESS | {"pixels": "gray"},
        "ffv1-sixteen-bits": LOSSLESS | {"pixels": "gray16le"},
        "png": {"codec": "png", "container": "mov", "pixels": "gray"},
    }
    for name, way in ways.items():
        yield seen(f"greys/{name}", Film(**way).of(*scenes), *scenes, tolerance=20)


def spaces() -> Iterator[Case]:
    """How numbers stand for colors: of television or of computers, and high definition."""
    ways: dict[str, tuple[dict[str, Any], str]] = {
        "sd": (
            {"colorspace": 5, "color_range": 1, "color_primaries": 5, "color_trc": 6},
            "yuv420p",
        ),
        "hd": (
            {"colorspace": 1, "color_range": 1, "color_primaries": 1, "color_trc": 1},
            "yuv420p",
        ),
        "hd-full": (
            {"colorspace": 1, "color_range": 2, "color_primaries": 1, "color_trc": 1},
            "yuv420p",
        ),
        "sd-full": (
            {"colorspace": 5, "color_range": 2, "color_primaries": 5, "color_trc": 6},
            "yuv420p",
        ),
    }
    for name, (attributes, pixels) in ways.items():
        film = Film(attributes=attributes, pixels=pixels)
        for container in ("mp4", "matroska"):
            data = replace(film, container=container).of(*TWO)
            yield seen(f"spaces/{name}.{container}", data, *TWO, tolerance=22)
    wide = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": 16}
    for name, bright in (("hdr10", wide), ("hlg", wide | {"color_trc": 18})):
        film = Film(codec="libx265", pixels="yuv420p10le", attributes=bright)
        # what they look like depends on the screen
        yield seen(f"spaces/{name}", film.of(*TWO), *TWO, sights=(), marked=False)


def sizes() -> Iterator[Case]:
    """Small, odd, upright and very wide."""
    for size in SIZES:
        film = Film(size=size, codec="ffv1", container="matroska", pixels="yuv444p")
        name = f"{size[0]}x{size[1]}"
        yield seen(f"sizes/{name}.matroska", film.of(*TWO), *TWO, size=even(size))
        if size[0] % 2 == size[1] % 2 == 0:
            yield seen(f"sizes/{name}.mp4", Film(size=size).of(*TWO), *TWO, size=size)
            hevc = Film(codec="libx265", size=size) if min(size) >= 32 else Film(size=size)
            yield seen(f"sizes/{name}.hevc.mp4", hevc.of(*TWO), *TWO, size=size)
    large: Scene = ("red", 0.4)
    high = Film(size=(3840, 2160), rate=Fraction(5))
    yield seen("sizes/4k.mp4", high.of(large), large, size=(768, 432))
    yield seen(
        "sizes/4k-upright.mp4",
        replace(high, size=(2160, 3840)).of(large),
        large,
        size=(432, 768),
    )


def even(size: tuple[int, int]) -> tuple[int, int]:
    """The size with even numbers, as most codecs need them."""
    width, height = (2 * round(side / 2) for side in size)
    return width, height


def layouts() -> Iterator[Case]:
    """Where the index of an MP4 lies: behind, before, in pieces, and in the manner of others."""
    ways = {
        "behind": {},
        "fast-start": {"movflags": "faststart"},
        "fragments": {"movflags": "frag_keyframe+empty_moov"},
        "fragments-moof": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
        "fragments-each": {"movflags": "frag_every_frame+empty_moov"},
        "fragments-behind": {"movflags": "frag_keyframe"},
        "dash": {"movflags": "dash"},
        "cmaf": {"movflags": "cmaf"},
        "global-sidx": {"movflags": "dash+global_sidx"},
        "hybrid": {"movflags": "hybrid_fragmented"},
        "small-index": {"movflags": "faststart+negative_cts_offsets"},
        "no-edits": {"use_editlist": "0"},
        "brand": {"brand": "mp42"},
        "other-ticks": {"video_track_timescale": "90000"},
        "few-ticks": {"movie_timescale": "10"},
    }
    for name, muxing in ways.items():
        for frames in ("", "-b"):
            options = {"bf": "2", "b-adapt": "0"} if frames else {}
            film = Film(muxing=muxing, options=options | {"g": "10"})
            # without a list of edits nothing says that the frames held back are no wait
            start = 0.2 if frames and name not in LISTED else 0.0
            yield seen(f"layouts/{name}{frames}.mp4", film.of(*TWO), *TWO, start=start)
    for name, muxing in {
        "clusters": {"cluster_time_limit": "300"},
        "index-before": {"reserve_index_space": "4096"},
        "cues-to-front": {"cues_to_front": "1"},
    }.items():
        data = Film(container="matroska", muxing=muxing).of(*TWO)
        yield seen(f"layouts/{name}.mkv", data, *TWO)
    yield seen("layouts/live.mkv", remuxed(Film().of(*TWO), "matroska", {"live": "1"}), *TWO)
    indexed = Film(codec="mpeg4", container="avi").of(*TWO)
    yield seen("layouts/no-index.avi", indexed.replace(b"idx1", b"JUNK"), *TWO)


def tones() -> Iterator[Case]:
    """Every color that a scene may have after every other, lossless."""
    names = list(COLORS)
    film = Film(**LOSSLESS, pixels="yuv444p", size=(96, 64))
    for place, first in enumerate(names):
        second = names[(place + 2) % len(names)]
        scenes: tuple[Scene, ...] = ((first, 1.5), (second, 1.5))
        marked = "white" not in (first, second)
        yield seen(
            f"tones/{first}-{second}.mkv", film.of(*scenes), *scenes, tolerance=12, marked=marked
        )
