"""Scanned size charts to learn from."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mmsearch_core.demo.size_chart import (
    MEASURES,
    SizeChart,
    number,
    page,
    photographed,
    size_chart,
)
from mmsearch_core.demo.training.films import NOTHING

if TYPE_CHECKING:
    import pymupdf

DRAWN = 1.5  # times as many pixels a side as a model reads; then made smaller, as pages are
SMALL = 2  # sizes at most of the charts that are learned first
BLOCK = 32  # pixels a side of what is one token
SLOTS = 5  # of a square, side by side; each as wide as the narrowest letter
READ_PIXELS = 131_072  # of a page, at most, that the model is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A size chart and what a scanner sees of it: shape (height, width, 3), uint8."""

    chart: SizeChart
    heading: bool
    picture: npt.NDArray[np.uint8]
    letters: tuple[str, ...]  # of each square of BLOCK pixels, row by row, one for each slot

    @property
    def hints(self) -> list[str]:
        """What the model is trained to say behind each square, as films.hints are: the letter
        furthest to the left."""
        return [square.strip()[:1] or NOTHING for square in self.letters]


def scans(count: int, *, seed: int, small: bool) -> list[Scan]:
    """``count`` scans, the same for the same arguments; ``small``: of a few rows, cut out."""
    with multiprocessing.get_context("fork").Pool(2) as workers:
        jobs = [(seed * 1_000_003 + place, small) for place in range(count)]
        return workers.map(_scan, jobs, chunksize=20)


def _scan(job: tuple[int, bool]) -> Scan:
    seed, small = job
    rng = np.random.default_rng(seed)
    category = str(rng.choice(list(MEASURES)))
    chart = size_chart(category, rng, sizes=int(rng.integers(1, SMALL + 1)) if small else None)
    if rng.random() < 0.5:
        chart = scrambled(chart, rng)
    document = page(chart, rng, heading=not small)
    seen, askew = photographed(document, rng, scale=DRAWN)
    size = (
        round(seen.width / DRAWN / BLOCK) * BLOCK,
        round(seen.height / DRAWN / BLOCK) * BLOCK,
    )
    return Scan(
        chart=chart,
        heading=not small,
        picture=np.asarray(seen.resize(size, Image.Resampling.BICUBIC)),
        letters=tuple(_read(document[0], askew, size)),
    )


def _read(sheet: pymupdf.Page, askew: float, size: tuple[int, int]) -> list[str]:
    """Of each square of the picture, row by row, the letters whose middle lies in its SLOTS: a
    space where there is none."""
    width, height = size
    turn = np.deg2rad(askew)
    squares = np.full((height // BLOCK, width // BLOCK, SLOTS), " ")
    for letter, x, y in _letters(sheet):
        across, down = x / sheet.rect.width - 0.5, y / sheet.rect.height - 0.5
        across, down = across * width, down * height
        right = np.cos(turn) * across + np.sin(turn) * down + width / 2
        below = np.cos(turn) * down - np.sin(turn) * across + height / 2
        row, column = int(below // BLOCK), int(right // BLOCK)
        slot = int(right % BLOCK // (BLOCK / SLOTS))
        squares[row, column, slot] = letter
    return ["".join(square) for row in squares for square in row]


def _letters(sheet: pymupdf.Page) -> Iterator[tuple[str, float, float]]:
    """Each letter of the page and its middle, in points."""
    for block in sheet.get_text("rawdict")["blocks"]:
        for line in block.get("lines", []):
            for span in line["spans"]:
                for char in span["chars"]:
                    left, top, right, bottom = char["bbox"]
                    if char["c"].strip():
                        yield char["c"], (left + right) / 2, (top + bottom) / 2


def scrambled(chart: SizeChart, rng: np.random.Generator) -> SizeChart:
    """The chart with any numbers, so that each has to be read and none can be guessed."""
    header, *rows = chart.rows
    body = [(row[0], *(number(int(rng.integers(8, 300)) * 0.5) for _ in row[1:])) for row in rows]
    return replace(chart, rows=(header, *body))


def sizes() -> dict[str, Any]:
    """How many pixels the processor makes of a scan."""
    return {"shortest_edge": 96 * 96, "longest_edge": READ_PIXELS}
