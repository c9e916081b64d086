"""Scanned size charts to learn from."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, replace
from typing import Any

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

DRAWN = 1.5  # times as many pixels a side as a model reads; then made smaller, as pages are
SMALL = 2  # sizes at most of the charts that are learned first
READ_PIXELS = 131_072  # of a page, at most, that the model is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A size chart and what a scanner sees of it: shape (height, width, 3), uint8."""

    chart: SizeChart
    heading: bool
    picture: npt.NDArray[np.uint8]


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
    seen = photographed(page(chart, rng, heading=not small), rng, scale=DRAWN)
    size = (round(seen.width / DRAWN / 32) * 32, round(seen.height / DRAWN / 32) * 32)
    picture = seen.resize(size, Image.Resampling.BICUBIC)
    return Scan(chart=chart, heading=not small, picture=np.asarray(picture))


def scrambled(chart: SizeChart, rng: np.random.Generator) -> SizeChart:
    """The chart with any numbers, so that each has to be read and none can be guessed."""
    header, *rows = chart.rows
    body = [(row[0], *(number(int(rng.integers(8, 300)) * 0.5) for _ in row[1:])) for row in rows]
    return replace(chart, rows=(header, *body))


def sizes() -> dict[str, Any]:
    """How many pixels the processor makes of a scan."""
    return {"shortest_edge": 96 * 96, "longest_edge": READ_PIXELS}
