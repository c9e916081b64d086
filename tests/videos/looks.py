"""How frames are to be shown: turned, with pixels that are no squares, in two fields."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from tests.videos.case import SIZES, Case
from tests.videos.film import TWO, Film, Picture, drawn, moving, plain, remuxed
from tests.videos.usual import seen

ONE, UNIT = 0x10000, 0x40000000
# of the header of an MP4, by the degrees clockwise by which a player turns the frames
MATRICES = {
    0: (ONE, 0, 0, 0, ONE, 0, 0, 0, UNIT),
    90: (0, ONE, 0, -ONE, 0, 0, 0, 0, UNIT),
    180: (-ONE, 0, 0, 0, -ONE, 0, 0, 0, UNIT),
    270: (0, -ONE, 0, ONE, 0, 0, 0, 0, UNIT),
}
# no turning at all, or one that nobody means
STRANGE = {
    "nought": (0,) * 9,
    "doubled": (2 * ONE, 0, 0, 0, 2 * ONE, 0, 0, 0, UNIT),
    "moved": (ONE, 0, 0, 0, ONE, 0, 40 * ONE, 7 * ONE, UNIT),
    "leaning": (60000, 9000, 0, -9000, 60000, 0, 0, 0, UNIT),
    "wild": (-(2**31), 2**31 - 1, -1, 12345, -(2**31), 7, 2**31 - 1, -1, 0),
}


def pack(matrix: tuple[int, ...]) -> bytes:
    return struct.pack(">9i", *matrix)


def shown_by(data: bytes, matrix: tuple[int, ...]) -> bytes:
    """The MP4 with another matrix in the header of its first track."""
    place = data.index(pack(MATRICES[0]), data.index(b"tkhd"))
    return data[:place] + pack(matrix) + data[place + 36 :]


def laid(film: Film, quarters: int) -> bytes:
    """A video whose frames lie on their side, by quarters counterclockwise."""
    upright = film.size if quarters % 2 == 0 else film.size[::-1]
    pictures = replace(film, size=upright).frames(*TWO)
    return film.of_pictures(
        (seconds, np.rot90(each, quarters).copy()) for seconds, each in pictures
    )


def turned() -> Iterator[Case]:
    """As telephones make them: whatever way it was held, the mark is in the upper left."""
    for size in (*SIZES[:4], (160, 120), (202, 50)):
        for quarters in (1, 2, 3):
            film = Film(size=size)
            data = shown_by(laid(film, quarters), MATRICES[90 * quarters])
            upright = size if quarters % 2 == 0 else size[::-1]
            yield seen(f"turned/{size[0]}x{size[1]}-{90 * quarters}.mp4", data, *TWO, size=upright)
    for quarters in (1, 2, 3):
        kinds = {
            "mov": Film(container="mov"),
            "hevc.mp4": Film(codec="libx265"),
            "av1.mp4": Film(codec="libsvtav1"),
            "b.mp4": Film(options={"bf": "2", "b-adapt": "0"}),
            "late.mp4": Film(),
            "uneven.mp4": Film(ticks=600),
            "ten-bits.mp4": Film(pixels="yuv420p10le"),
        }
        for name, film in kinds.items():
            data = shown_by(laid(film, quarters), MATRICES[90 * quarters])
            upright = (160, 120) if quarters % 2 == 0 else (120, 160)
            yield seen(f"turned/{90 * quarters}-{name}", data, *TWO, size=upright)
    for name, matrix in STRANGE.items():
        case = seen(f"turned/{name}.mp4", shown_by(plain(), matrix), *TWO, size=(160, 120))
        yield replace(case, sights=() if name == "wild" else case.sights)


def mirrored() -> Iterator[Case]:
    """As some front cameras and editors leave them, in all four ways: players undo it."""
    # what the header tells, and what a frame has to be for a player to show it well
    ways: dict[str, tuple[tuple[int, ...], Callable[[Picture], Picture]]] = {
        "left-right": ((-ONE, 0, 0, 0, ONE, 0, 0, 0, UNIT), np.fliplr),
        "up-down": ((ONE, 0, 0, 0, -ONE, 0, 0, 0, UNIT), np.flipud),
        "diagonal": ((0, ONE, 0, ONE, 0, 0, 0, 0, UNIT), lambda each: each.transpose(1, 0, 2)),
        "other-diagonal": (
            (0, -ONE, 0, -ONE, 0, 0, 0, 0, UNIT),
            lambda each: each[::-1, ::-1].transpose(1, 0, 2),
        ),
    }
    for name, (matrix, undo) in ways.items():
        size = (120, 160) if "diagonal" in name else (160, 120)
        frames = Film(size=size).frames(*TWO)
        pictures = ((at, np.ascontiguousarray(undo(each))) for at, each in frames)
        data = shown_by(Film().of_pictures(pictures), matrix)
        yield seen(f"mirrored/{name}.mp4", data, *TWO, size=size)


def stretched() -> Iterator[Case]:
    """Pixels that are no squares, as television and camcorders have them."""
    ratios = {
        "pal": (Fraction(16, 15), (170, 120)),
        "pal-wide": (Fraction(64, 45), (228, 120)),
        "ntsc": (Fraction(8, 9), (160, 134)),
        "ntsc-wide": (Fraction(32, 27), (190, 120)),
        "double": (Fraction(2), (320, 120)),
        "half": (Fraction(1, 2), (160, 240)),
        "hdv": (Fraction(4, 3), (214, 120)),
    }
    ways: dict[str, dict[str, Any]] = {
        "mp4": {},
        "matroska": {"container": "matroska"},
        "mov": {"codec": "mpeg4", "container": "mov"},
        "hevc.mp4": {"codec": "libx265"},
    }
    for name, (ratio, size) in ratios.items():
        for ending, way in ways.items():
            film = Film(attributes={"sample_aspect_ratio": ratio}, **way)
            yield seen(f"stretched/{name}.{ending}", film.of(*TWO), *TWO, size=size)
    sideways = Film(attributes={"sample_aspect_ratio": Fraction(2)})
    data = shown_by(laid(sideways, 1), MATRICES[90])
    yield seen("stretched/sideways.mp4", data, *TWO, size=(120, 320))
    for name, ratio in {"wild": Fraction(255, 1), "thin": Fraction(1, 255)}.items():
        film = Film(attributes={"sample_aspect_ratio": ratio})
        case = seen(f"stretched/{name}.mp4", film.of(*TWO), *TWO)
        yield replace(case, fails=frozenset({"UnsupportedMedia"}), either=True)


def fields() -> Iterator[Case]:
    """Interlaced: two half pictures in one, as television and tapes have them."""
    ways: dict[str, Film] = {
        "h264-top.mp4": Film(
            rate=Fraction(25), options={"x264-params": "tff=1", "flags": "+ildct+ilme"}
        ),
        "h264-bottom.mkv": Film(
            rate=Fraction(25), container="matroska", options={"x264-params": "bff=1"}
        ),
        "mpeg2.mkv": Film(
            codec="mpeg2video",
            container="matroska",
            rate=Fraction(25),
            options={"flags": "+ildct+ilme"},
        ),
        "mpeg4.avi": Film(
            codec="mpeg4", container="avi", rate=Fraction(25), options={"flags": "+ildct+ilme"}
        ),
        "prores.mov": Film(
            codec="prores_ks",
            container="mov",
            pixels="yuv422p10le",
            options={"flags": "+ildct"},
            rate=Fraction(25),
        ),
    }
    for name, film in ways.items():
        yield seen(f"fields/{name}", film.of(*TWO), *TWO, size=film.size)
    film = Film(
        rate=Fraction(25), options={"x264-params": "tff=1", "flags": "+ildct+ilme"}, size=(160, 128)
    )
    combed = moving(film, 3.0, lambda done: _combed(done, film.size))
    yield Case(
        name="fields/combed.mp4", data=film.of_pictures(combed), shots=((0.0, 3.0),), marked=False
    )


def _combed(done: float, size: tuple[int, int]) -> Picture:
    """A bar that moves, of which every other line is a little ahead."""
    picture = drawn("grey", size).copy()
    left = round(done * (size[0] - 40))
    picture[::2, left : left + 24] = (220, 30, 30)
    picture[1::2, left + 3 : left + 27] = (220, 30, 30)
    return picture


def copied() -> Iterator[Case]:
    """What was turned in an MP4 is turned in what it is copied to."""
    for quarters in (1, 2, 3):
        data = shown_by(laid(Film(), quarters), MATRICES[90 * quarters])
        upright = (160, 120) if quarters % 2 == 0 else (120, 160)
        for container in ("mov", "matroska"):
            other = remuxed(data, container)
            name = f"copied/{90 * quarters}.{container}"
            yield seen(name, other, *TWO, size=upright)
