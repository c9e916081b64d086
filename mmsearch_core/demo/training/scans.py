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
    cell_at,
    number,
    page,
    photographed,
    size_chart,
)

if TYPE_CHECKING:
    import pymupdf

DRAWN = 1.5  # times as many pixels a side as a model reads; then made smaller, as pages are
SMALL = 2  # sizes at most of the charts that are learned first
BLOCK = 32  # pixels a side of what is one token
SLOTS = 5  # of a square, side by side; each as wide as the narrowest letter
READ_PIXELS = 131_072  # of a page, at most, that the model is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """What is read in a part of a picture that is one token."""

    letters: str  # one for each of its SLOTS, from the left; spaces where there is none
    cell: tuple[int, int] | None  # row and column of the cell that these belong to


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A size chart and what a scanner sees of it: shape (height, width, 3), uint8."""

    chart: SizeChart
    heading: bool
    picture: npt.NDArray[np.uint8]
    squares: tuple[Square, ...]  # of BLOCK pixels a side, row by row


def scans(count: int, *, seed: int, small: bool) -> list[Scan]:
    """``count`` scans, the same for the same arguments; ``small``: of a few rows, cut out."""
    with multiprocessing.get_context("fork").Pool() as workers:
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
        squares=tuple(_squares(chart, document[0], askew, size, heading=not small)),
    )


def _squares(
    chart: SizeChart,
    sheet: pymupdf.Page,
    askew: float,
    size: tuple[int, int],
    *,
    heading: bool,
) -> Iterator[Square]:
    """What is read in each square of the picture, row by row: the letters whose middle is there."""
    width, height = size
    letters = np.full((height // BLOCK, width // BLOCK, SLOTS), " ")
    cells: dict[tuple[int, int], tuple[int, int] | None] = {}
    for letter, x, y in _letters(sheet):
        right, below = _seen_at(x / sheet.rect.width, y / sheet.rect.height, askew, size)
        place = int(below // BLOCK), int(right // BLOCK)
        letters[place][int(right % BLOCK // (BLOCK / SLOTS))] = letter
        cells[place] = cell_at(chart, x, y, heading=heading)
    for place in np.ndindex(*letters.shape[:2]):
        yield Square(letters="".join(letters[place]), cell=cells.get(place))


def _seen_at(x: float, y: float, askew: float, size: tuple[int, int]) -> tuple[float, float]:
    """Where in a picture of a turned page a place of it is seen: from shares of the page to
    pixels."""
    width, height = size
    across, down = (x - 0.5) * width, (y - 0.5) * height
    turn = np.deg2rad(askew)
    right = np.cos(turn) * across + np.sin(turn) * down + width / 2
    below = np.cos(turn) * down - np.sin(turn) * across + height / 2
    return float(right), float(below)


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
    body = []
    for label, *values in rows:
        drawn = [number(int(rng.integers(8, 300)) * 0.5) for _ in values]
        body.append((label, *drawn))
    return replace(chart, rows=(header, *body))


def sizes() -> dict[str, Any]:
    """How many pixels the processor makes of a scan."""
    return {"shortest_edge": 96 * 96, "longest_edge": READ_PIXELS}
