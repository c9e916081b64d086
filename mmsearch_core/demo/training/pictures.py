"""Pictures to learn from: photographs of the training split, drawn in random looks, a pool of them
at a time."""

from __future__ import annotations

import gzip
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from mmsearch_core.demo.picture import draw
from mmsearch_core.demo.vocabulary import CATEGORIES, COLORS, PATTERNS, Look

DRAWN = 200  # pixels a side; then made smaller, as the pipeline's pictures are


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Pictures, shape (n, side, side, 3), uint8, and what they show."""

    pictures: npt.NDArray[np.uint8]
    looks: list[Look]


def photographs(folder: Path, split: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """(images, labels) of Fashion-MNIST: ``split`` is train or t10k."""
    with gzip.open(folder / f"{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images, labels


def pool(
    folder: Path, split: str, count: int, *, seed: int, side: int = 96, kept: Path | None = None
) -> Pool:
    """``count`` pictures in looks drawn evenly; the same for the same arguments. With ``kept``,
    drawn once only."""
    file = kept / f"{split}-{count}-{seed}-{side}.npz" if kept else None
    if file and file.exists():
        saved = np.load(file)
        return Pool(
            pictures=saved["pictures"], looks=[_look(*numbers) for numbers in saved["looks"]]
        )
    images, labels = photographs(folder, split)
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(images), count)
    jobs = [
        (images[place], int(labels[place]), seed * 1_000_003 + number, side)
        for number, place in enumerate(chosen)
    ]
    with multiprocessing.get_context("fork").Pool() as workers:
        made = workers.map(_draw, jobs, chunksize=100)
    pictures = np.stack([picture for picture, _ in made])
    looks = [numbers for _, numbers in made]
    if file:
        np.savez(file, pictures=pictures, looks=np.array(looks))
    return Pool(pictures=pictures, looks=[_look(*numbers) for numbers in looks])


def _draw(
    job: tuple[npt.NDArray[np.uint8], int, int, int],
) -> tuple[npt.NDArray[np.uint8], tuple[int, int, int]]:
    photo, label, seed, side = job
    rng = np.random.default_rng(seed)
    numbers = label, int(rng.integers(len(COLORS))), int(rng.integers(len(PATTERNS)))
    picture = draw(photo, _look(*numbers), rng, size=DRAWN).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    return np.asarray(picture), numbers


def _look(category: int, color: int, pattern: int) -> Look:
    return Look(
        category=CATEGORIES[category].en, color=COLORS[color].en, pattern=PATTERNS[pattern].en
    )
