"""Draws a product picture: a small grey photograph of a garment, enlarged, tinted and patterned on
a light ground."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mmsearch_core.demo.vocabulary import CATEGORIES, Look

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

SIDE = 28  # of a photograph in the sprite

# The tint of each color, and the second tint of its patterns: white, or a deep shade where white
# would not be seen.
TINTS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "red": ((206, 32, 38), (252, 240, 236)),
    "orange": ((240, 122, 20), (255, 246, 232)),
    "yellow": ((246, 212, 40), (120, 92, 10)),
    "green": ((36, 144, 62), (240, 250, 240)),
    "blue": ((34, 82, 190), (238, 243, 252)),
    "purple": ((122, 46, 160), (246, 238, 252)),
    "pink": ((246, 146, 186), (255, 250, 252)),
    "brown": ((116, 70, 36), (240, 226, 208)),
    "grey": ((138, 140, 144), (246, 246, 246)),
    "black": ((34, 34, 38), (228, 228, 228)),
}


@cache
def garments() -> NDArray[np.uint8]:
    """The photographs of the sprite, by category and number: (10, 60, 28, 28)."""
    import numpy as np
    from PIL import Image

    with files("mmsearch_core.demo").joinpath("garments.png").open("rb") as file:
        sprite = np.asarray(Image.open(file).convert("L"))
    return sprite.reshape(len(CATEGORIES), SIDE, -1, SIDE).transpose(0, 2, 1, 3)


def photographs_of(category: str) -> NDArray[np.uint8]:
    """The photographs of the sprite that show this category: (60, 28, 28)."""
    band = [known.en for known in CATEGORIES].index(category)
    photographs: NDArray[np.uint8] = garments()[band]
    return photographs


def draw(
    photo: NDArray[np.uint8], look: Look, rng: np.random.Generator, *, size: int = 320
) -> Image.Image:
    """``photo`` as a product picture of ``size`` x ``size``; pose, light and ground vary with
    ``rng``."""
    import numpy as np
    from PIL import Image

    if rng.random() < 0.5:
        photo = photo[:, ::-1]
    angle, zoom = np.deg2rad(rng.uniform(-5, 5)), rng.uniform(0.80, 0.94)
    shift = rng.uniform(-0.03, 0.03, 2)
    light, phase = rng.uniform(0.92, 1.08), rng.uniform(0, 1, 2)
    ground = np.array([247.0, 247.0, 247.0]) + rng.uniform(-9, 5, 3)

    # From each pixel of the canvas back to its place (u, v) in the photograph, both 0 to 1.
    v, u = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    u, v = u - shift[0], v - shift[1]
    u, v = (
        (np.cos(angle) * u + np.sin(angle) * v) / zoom + 0.5,
        (np.cos(angle) * v - np.sin(angle) * u) / zoom + 0.5,
    )

    shade, inside = _light_and_mask(photo, size)
    alpha = _sample(inside, u, v)
    shadow = _sample(inside, u - 0.012, v - 0.022)
    base, second = (np.array(tint, dtype=np.float32) for tint in TINTS[look.color])
    share = _pattern(look.pattern, u + phase[0], v + phase[1])[..., None]
    cloth = (base * (1 - share) + second * share) * (_sample(shade, u, v) * light)[..., None]
    paper = ground * (1 - 0.06 * (v[..., None] + 0.1)) * (1 - 0.16 * shadow[..., None])
    grain = rng.normal(0, 2.0, (size, size, 1))
    picture = paper * (1 - alpha[..., None]) + (cloth + grain) * alpha[..., None]
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _light_and_mask(
    photo: NDArray[np.uint8], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How light the cloth is (around 1) and where it is (0 to 1), enlarged to ``size`` with crisp
    edges."""
    import numpy as np
    from PIL import Image, ImageDraw

    # What is dark and cannot be reached from outside is cloth too, unless it is large, like the
    # hole of a handle.
    solid = Image.fromarray(np.where(np.pad(photo, 1) > 24, 255, 0).astype(np.uint8))
    ImageDraw.floodfill(solid, (0, 0), 128)
    holes = np.asarray(solid)[1:-1, 1:-1] == 0
    cloth = photo > 24
    if holes.sum() <= 30:
        cloth = cloth | holes
    level = float(np.median(photo[cloth])) if cloth.any() else 128.0
    lit = np.where(cloth, photo, level).astype(np.float32)
    shade = np.clip(1.0 + (lit - level) / 255.0 * 0.75, 0.45, 1.25)

    edge = np.maximum(photo, np.where(holes & cloth, 255, 0)).astype(np.float32)
    mask = np.asarray(
        Image.fromarray(np.minimum(edge * 3.0, 255)).resize((size, size), Image.Resampling.BICUBIC)
    )
    mask = np.clip((mask / 255.0 - 0.30) / 0.25, 0, 1)
    light = np.asarray(
        Image.fromarray(shade.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    )
    return light, (mask * mask * (3 - 2 * mask)).astype(np.float32)


def _sample(
    image: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``image`` at the places (u, v), 0 outside of it."""
    import numpy as np

    side = image.shape[0]
    x, y = (u * side).astype(np.int32), (v * side).astype(np.int32)
    outside = (u < 0) | (v < 0) | (x >= side) | (y >= side)
    sampled: NDArray[np.float32] = image[np.clip(y, 0, side - 1), np.clip(x, 0, side - 1)]
    return np.where(outside, np.float32(0), sampled)


def _pattern(name: str, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of the second tint at each place."""
    import numpy as np

    if name == "striped":
        return _band(v * 11, 0.5)
    if name == "checked":
        across, down = _band(u * 8, 0.5), _band(v * 8, 0.5)
        return (0.5 * across + 0.5 * down).astype(np.float32)
    if name == "dotted":
        row = np.floor(v * 10)
        x, y = (u * 10 + 0.5 * (row % 2)) % 1 - 0.5, (v * 10) % 1 - 0.5
        return np.clip((0.34 - np.sqrt(x * x + y * y)) / 0.06 + 0.5, 0, 1).astype(np.float32)
    return np.zeros_like(u)


def _band(t: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """1 in ``width`` of every period of 1, with soft edges."""
    import numpy as np

    share: NDArray[np.float32] = np.clip(
        (width / 2 - np.abs(t % 1 - 0.5)) / 0.06 + 0.5, 0, 1
    ).astype(np.float32)
    return share
