"""Product films of the demonstration shop: a garment that changes its color or pattern, turns
around or is seen from nearer, each at a known time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mmsearch_core.demo.picture import draw
from mmsearch_core.demo.vocabulary import COLORS, PATTERNS, TERMS, Look

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

What = Literal["color", "pattern", "turn", "nearer"]
LASTS = (0.8, 1.4)  # seconds that a change takes, at least and at most
STILL = 0.6  # seconds between two changes, and before the first, at least
RATE, SIDE = 24, 320  # frames a second, and pixels a side, of a film in the shop
NEARER = 1.35  # times as large as before


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happens in a film, in seconds from its start; ``value`` is the new color or
    pattern."""

    start: float
    end: float
    what: What
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A garment that looks so at first, and what happens to it, in the order of time."""

    look: Look
    seconds: float
    changes: tuple[Change, ...]
    pose: int  # the seed of pose, light and ground


def film_of(look: Look, rng: np.random.Generator, *, changes: int) -> Film:
    """A film of this garment with so many changes, each of another sort than the one before it."""
    happen: list[Change] = []
    seen, time = look, 0.0
    for _ in range(changes):
        start = time + STILL + rng.uniform(0, 1.6)
        time = start + rng.uniform(*LASTS)
        what, value = _next(seen, [change.what for change in happen], rng)
        if value:
            seen = replace(seen, **{what: value})
        happen.append(Change(start=round(start, 2), end=round(time, 2), what=what, value=value))
    seconds = round(time + STILL + rng.uniform(0.4, 1.6), 2)
    return Film(look=look, seconds=seconds, changes=tuple(happen), pose=int(rng.integers(2**31)))


def _next(look: Look, before: Sequence[What], rng: np.random.Generator) -> tuple[What, str]:
    allowed: list[What] = ["color", "pattern", "turn"]
    if "nearer" not in before:
        allowed.append("nearer")
    allowed = [what for what in allowed if what not in before[-1:]]
    what = allowed[int(rng.integers(len(allowed)))]
    if what == "color":
        return what, _other(look.color, [term.en for term in COLORS], rng)
    if what == "pattern":
        return what, _other(look.pattern, [term.en for term in PATTERNS], rng)
    return what, ""


def _other(value: str, values: Sequence[str], rng: np.random.Generator) -> str:
    return str(rng.choice([other for other in values if other != value]))


def happens(change: Change) -> dict[str, str]:
    """What is said of a change, in English and Chinese. It does not name the garment, which the
    caption does: a small model takes a shirt for a pullover, and sees well that it turns blue."""
    if change.what == "turn":
        return {"en": "it turns around", "zh": "转身"}
    if change.what == "nearer":
        return {"en": "it comes nearer", "zh": "靠近"}
    becomes = TERMS[change.what][change.value].zh
    return {"en": f"it becomes {change.value}", "zh": f"变成{becomes}"}


def shown(
    film: Film, photo: NDArray[np.uint8], times: Sequence[float], *, size: int
) -> Iterator[Image.Image]:
    """What is seen of the film at these seconds: pictures of ``size`` x ``size``, made of the
    garment's photograph, of 28 x 28."""
    stills = list(_stills(film, photo, size))
    for time in times:
        yield _at(film, stills, time)


def _stills(film: Film, photo: NDArray[np.uint8], size: int) -> Iterator[Image.Image]:
    """The garment as it looks at first and after each change of its look, in one pose."""
    import numpy as np

    look = film.look
    yield draw(photo, look, np.random.default_rng(film.pose), size=size)
    for change in film.changes:
        if change.value:
            look = replace(look, **{change.what: change.value})
            yield draw(photo, look, np.random.default_rng(film.pose), size=size)


def _at(film: Film, stills: Sequence[Image.Image], time: float) -> Image.Image:
    from PIL import Image

    changed = [change for change in film.changes if change.value]
    place = sum(_share(change, time) for change in changed)
    picture = stills[int(place)]
    if place > int(place):
        picture = Image.blend(picture, stills[int(place) + 1], place - int(place))
    turned = sum(_share(change, time) for change in film.changes if change.what == "turn")
    nearer = sum(_share(change, time) for change in film.changes if change.what == "nearer")
    return _nearer(_turned(picture, turned), 1 + (NEARER - 1) * nearer)


def _share(change: Change, time: float) -> float:
    """How much of the change has happened: 0 before it, 1 after it."""
    return min(max((time - change.start) / (change.end - change.start), 0.0), 1.0)


def _turned(picture: Image.Image, half_turns: float) -> Image.Image:
    """As seen when the garment has turned about the upright axis: narrower, then mirrored."""
    import numpy as np
    from PIL import Image

    width = float(np.cos(np.pi * half_turns))
    if width == 1:
        return picture
    narrow = max(abs(width), 0.02)
    side, half = picture.width, picture.width / 2
    # from each place on the canvas back to its place in the picture
    back = (np.sign(width) or 1.0) / narrow
    ground = picture.getpixel((1, 1))
    return picture.transform(
        (side, side),
        Image.Transform.AFFINE,
        (back, 0, half - back * half, 0, 1, 0),
        resample=Image.Resampling.BILINEAR,
        fillcolor=ground,
    )


def _nearer(picture: Image.Image, zoom: float) -> Image.Image:
    """The middle of the picture, enlarged to its whole."""
    from PIL import Image

    if zoom == 1:
        return picture
    half, cut = picture.width / 2, picture.width / zoom / 2
    box = (half - cut, half - cut, half + cut, half + cut)
    return picture.resize(picture.size, Image.Resampling.BILINEAR, box=box)


def encoded(film: Film, photo: NDArray[np.uint8], *, size: int = SIDE) -> bytes:
    """The film as an MP4 (H.264) of ``size`` x ``size`` pixels; the same bytes for the same
    film."""
    import av
    import numpy as np

    count = round(film.seconds * RATE)
    times = [number / RATE for number in range(count)]
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        track = file.add_stream("libx264", rate=RATE)
        track.width, track.height, track.pix_fmt = size, size, "yuv420p"
        track.options = {"preset": "veryfast", "crf": "23"}
        track.codec_context.thread_count = 1
        for picture in shown(film, photo, times, size=size):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), "rgb24")
            file.mux(track.encode(frame))
        file.mux(track.encode(None))
    return out.getvalue()
