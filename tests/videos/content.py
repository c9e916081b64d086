"""What is to be seen: cuts where people see one, and none in a fade, a pan or a flash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import accumulate

import numpy as np
from PIL import Image

from tests.videos.case import COLORS, Case, Scene, Sight, shots, sights
from tests.videos.film import Film, Picture, drawn, marked, moving
from tests.videos.usual import seen

SMALL = (112, 64)
SMOOTH = Film(rate=Fraction(25), size=SMALL)


def cuts() -> Iterator[Case]:
    """Cuts anywhere, also soon after each other."""
    plans: dict[str, tuple[Scene, ...]] = {
        "early": (("red", 0.8), ("blue", 4.0)),
        "late": (("red", 4.0), ("blue", 0.8)),
        "third": (("red", 1.32), ("blue", 2.68)),
        "three": (("red", 1.0), ("green", 1.4), ("blue", 2.0)),
        "and-back": (("red", 1.2), ("blue", 1.2), ("red", 1.2), ("blue", 1.2)),
        "quick": tuple(zip(("red", "blue", "green", "yellow") * 2, (0.8,) * 8, strict=True)),
        "from-black": (("black", 1.0), ("yellow", 2.0)),
        "to-black": (("yellow", 2.0), ("black", 1.0)),
        "through-black": (("red", 1.6), ("black", 1.0), ("blue", 1.6)),
        "to-white": (("blue", 1.6), ("white", 1.6)),
        "twelve": tuple(zip(("red", "blue", "green") * 4, (1.0,) * 12, strict=True)),
    }
    for name, scenes in plans.items():
        for codec, container in (("libx264", "mp4"), ("libvpx-vp9", "webm"), ("mpeg4", "avi")):
            film = Film(codec=codec, container=container, rate=Fraction(25), size=SMALL)
            yield seen(f"cuts/{name}.{container}", film.of(*scenes), *scenes, marked=False)


def textured() -> Iterator[Case]:
    """Cuts between pictures of the same colors."""
    noise = np.random.default_rng(5).integers(0, 256, (4, 16, 28, 3), np.uint8)
    pictures = [marked(each.repeat(4, 0).repeat(4, 1)) for each in noise]
    for container in ("mp4", "matroska"):
        film = Film(container=container, rate=Fraction(25), size=SMALL)
        frames = ((n / 25, pictures[n // 40]) for n in range(160))
        yield Case(
            name=f"textured/same-colors.{container}",
            data=film.of_pictures(frames),
            shots=shots(0, 1.6, 3.2, 4.8, 6.4),
        )


def blended(one: str, other: str, share: float) -> Picture:
    """Something between two colors."""
    mixed = np.array(COLORS[one]) * (1 - share) + np.array(COLORS[other]) * share
    return np.full((SMALL[1], SMALL[0], 3), mixed.round(), np.uint8)


def products() -> Iterator[Case]:
    """A product before a plain wall, and then another one: people see a cut, however small."""
    walls = ("white", "grey", "black")
    pairs = (("red", "blue"), ("red", "green"), ("red", "yellow"), ("blue", "green"))
    for wall in walls:
        for first, second in pairs:
            for share in (0.1, 0.2, 0.4):
                pictures = (_before(wall, first, share), _before(wall, second, share))
                frames = ((n / 25, pictures[n >= 50]) for n in range(100))
                yield Case(
                    name=f"products/{first}-{second}-{wall}-{share}.mp4",
                    data=SMOOTH.of_pictures(frames),
                    shots=shots(0, 2, 4),
                )


def _before(wall: str, color: str, share: float) -> Picture:
    """A thing of this color in the middle, which covers so much of the picture."""
    picture = np.full((SMALL[1], SMALL[0], 3), COLORS[wall], np.uint8)
    width, height = (round(side * share**0.5) for side in SMALL)
    left, top = (SMALL[0] - width) // 2, (SMALL[1] - height) // 2
    picture[top : top + height, left : left + width] = COLORS[color]
    return picture


def held() -> Iterator[Case]:
    """A plain ground out of which a picture comes slowly, after a while: no cut."""
    for ground in ("black", "white", "grey"):
        for color in ("red", "green", "blue", "yellow"):
            frames = (
                (n / 25, blended(ground, color, min(1.0, max(0.0, (n - 50) / 75))))
                for n in range(150)
            )
            yield Case(
                name=f"held/{ground}-{color}.mp4",
                data=SMOOTH.of_pictures(frames),
                shots=((0.0, 6.0),),
            )


def slow() -> Iterator[Case]:
    """What changes slowly is one shot."""
    coarse = Image.fromarray(np.random.default_rng(8).integers(0, 256, (4, 24, 3), np.uint8))
    wide = coarse.resize((384, 64), Image.Resampling.BICUBIC)

    def zoomed(done: float) -> Picture:
        near = wide.resize(
            SMALL, Image.Resampling.BILINEAR, (0, 0, 112 - 50 * done, 64 - 28 * done)
        )
        return np.asarray(near)

    def panned(done: float) -> Picture:
        left = 240 * done
        there = wide.resize(SMALL, Image.Resampling.BILINEAR, (left, 0, left + 112, 64))
        return np.asarray(there)

    def walks(done: float) -> Picture:
        picture = drawn("grey", SMALL).copy()
        left = round(done * 80)
        picture[20:60, left : left + 20] = COLORS["red"]
        return picture

    changes: dict[str, tuple[float, Callable[[float], Picture]]] = {
        "fade-in": (6.0, lambda done: blended("black", "yellow", done)),
        "fade-out": (6.0, lambda done: blended("yellow", "black", done)),
        "fade-across": (6.0, lambda done: blended("red", "blue", done)),
        "fade-grey": (6.0, lambda done: blended("black", "white", done)),
        "fade-and-back": (8.0, lambda done: blended("blue", "white", 1 - abs(2 * done - 1))),
        "pan": (8.0, panned),
        "zoom": (6.0, zoomed),
        "walk": (4.0, walks),
        "still": (3.0, lambda _: drawn("grey", SMALL)),
    }
    for name, (seconds, draw) in changes.items():
        for codec, container in (("libx264", "mp4"), ("libvpx-vp9", "webm")):
            film = Film(codec=codec, container=container, rate=Fraction(25), size=SMALL)
            data = film.of_pictures(moving(film, seconds, draw))
            yield Case(name=f"slow/{name}.{container}", data=data, shots=((0.0, seconds),))


def flashes() -> Iterator[Case]:
    """A flash of a few frames is no shot by itself, but part of what comes behind."""
    for count in (1, 2, 5):
        for color in ("white", "black"):

            def pictures(count: int = count, color: str = color) -> Iterator[tuple[float, Picture]]:
                for n in range(100):
                    flash = 50 <= n < 50 + count
                    yield n / 25, drawn(color if flash else "red", SMALL)

            yield Case(
                name=f"flashes/{count}-{color}.mp4",
                data=SMOOTH.of_pictures(pictures()),
                # two shots that meet at the flash: never one of the flash alone
                shots=shots(0, 2, 4),
                slack=0.25,
            )


def one_color() -> Iterator[Case]:
    """Nothing happens at all."""
    for color in COLORS:
        scene: Scene = (color, 3.0)
        for container in ("mp4", "matroska"):
            film = Film(container=container, size=SMALL)
            mark = color != "white"
            yield seen(f"one-color/{color}.{container}", film.of(scene), scene, marked=mark)
    dark = Film(size=SMALL)
    black = np.zeros((64, 112, 3), np.uint8)
    yield Case(
        name="one-color/all-black.mp4",
        data=dark.of_pictures((n / 10, black) for n in range(40)),
        shots=((0.0, 4.0),),
    )


def flicker() -> Iterator[Case]:
    """Another picture with every frame: hundreds of cuts, and no harm."""
    rng = np.random.default_rng(13)
    noise = [rng.integers(0, 256, (64, 112, 3), np.uint8) for _ in range(20)]
    for rate in (2, 10, 25):
        film = Film(rate=Fraction(rate), size=SMALL)
        frames = ((n / rate, noise[n % 20]) for n in range(8 * rate))
        yield Case(name=f"flicker/noise-{rate}.mp4", data=film.of_pictures(frames), gap=None)
        turns = ((n / rate, drawn("red" if n % 2 else "blue", SMALL)) for n in range(8 * rate))
        yield Case(name=f"flicker/two-{rate}.mp4", data=film.of_pictures(turns), gap=None)
    rows = tuple((name, 0.64) for name in ("red", "blue", "green", "yellow") * 75)
    film = Film(rate=Fraction(25, 4), size=(64, 64))
    yield Case(name="flicker/hundreds.mp4", data=film.of(*rows), gap=None, sights=sights(*rows))


def few() -> Iterator[Case]:
    """One frame, two, three."""
    kinds = {"mp4": "libx264", "matroska": "libx264", "avi": "mpeg4", "webm": "libvpx-vp9"}
    for container, codec in kinds.items():
        for count in (1, 2, 3):
            film = Film(codec=codec, container=container, rate=Fraction(5), size=SMALL)
            scene: Scene = ("red", count / 5)
            # some containers do not say for how long the last frame is shown
            yield seen(f"few/{count}.{container}", film.of(scene), scene, slack=0.2)


def long() -> Iterator[Case]:
    """A shot that goes on for long is several, which overlap."""
    for container in ("mp4", "matroska"):
        film = Film(container=container, rate=Fraction(4), size=SMALL)
        scene: Scene = ("red", 75.0)
        parts = (0.0, 30.0), (26.0, 56.0), (52.0, 75.0)
        yield seen(f"long/one-scene.{container}", film.of(scene), scene, shots=parts, slack=0.3)
        scenes: tuple[Scene, ...] = (("red", 20.0), ("blue", 20.0))
        yield seen(f"long/two-scenes.{container}", film.of(*scenes), *scenes)
    hours = Film(rate=Fraction(1, 10), size=SMALL)
    colors = [*accumulate(range(6), lambda before, _: before + 1200)]
    names = ("red", "green", "blue", "yellow", "black", "grey")
    seen_of = tuple(
        Sight(since=float(since), color=COLORS[name])
        for since, name in zip(colors, names, strict=True)
    )
    day: tuple[Scene, ...] = tuple((name, 1200.0) for name in names)
    yield Case(name="long/two-hours.mp4", data=hours.of(*day), gap=None, sights=seen_of, slack=10.1)
