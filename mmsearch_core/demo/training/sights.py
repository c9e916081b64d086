"""What the vision tower of the tiny Qwen3-VL learns to see: pictures with what is to be said of
them, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmsearch_core.demo.size_chart import letters
from mmsearch_core.demo.training.films import PHASES, WHAT, Reel, moments
from mmsearch_core.demo.training.pictures import Pool
from mmsearch_core.demo.training.scans import BLOCK, SLOTS, Scan
from mmsearch_core.demo.training.vlm_parts import SIDE
from mmsearch_core.demo.vocabulary import ATTRIBUTES, TERMS, Look

CELLS = (SIDE // BLOCK) ** 2  # merged patches a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Sights:
    """Pictures, of one frame or two, and the numbers of what each shows."""

    frames: Tensor  # (pictures, 1 or 2, height, width, 3), uint8
    truth: Tensor  # (pictures, places, questions)
    answers: Sequence[int]  # of each question, how many there are
    empty: Sequence[bool]  # of each question, whether answer 0 says that there is nothing to see
    cells: int  # merged patches a place
    moving: bool  # whether a picture says the same when it is moved

    def __len__(self) -> int:
        return len(self.frames)

    def films(self, places: npt.NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Pictures as films of two frames, (n, 2, height, width, 3): mirrored at times and shifted
        by some pixels, so that the same photographs last longer."""
        films = self.frames[places].expand(-1, 2, -1, -1, -1)
        if not self.moving:
            return films
        if rng.random() < 0.5:
            films = films.flip(-2)
        return films.roll(tuple(int(shift) for shift in rng.integers(-5, 6, 2)), (-3, -2))


def looks(data: Pool) -> Sights:
    """Pictures of garments: category, color and pattern."""
    truth = [_values(look) for look in data.looks]
    return Sights(
        frames=torch.from_numpy(data.pictures).unsqueeze(1),
        truth=torch.tensor(truth).unsqueeze(1),
        answers=[len(TERMS[name]) for name in ATTRIBUTES],
        empty=[False] * len(ATTRIBUTES),
        cells=CELLS,
        moving=True,
    )


def motions(reels: Sequence[Reel]) -> Sights:
    """Two frames of a film: color, pattern, what happens, and whether it begins or ends."""
    colors, patterns = list(TERMS["color"]), list(TERMS["pattern"])
    frames, truth = [], []
    for reel in reels:
        pairs = len(reel.frames) // 2
        frames.append(reel.frames[: 2 * pairs].reshape(pairs, 2, *reel.frames.shape[1:]))
        truth += [
            [
                colors.index(moment.color),
                patterns.index(moment.pattern),
                WHAT.index(moment.what),
                PHASES.index(moment.phase),
            ]
            for moment in moments(reel)[:pairs]
        ]
    return Sights(
        frames=torch.from_numpy(np.concatenate(frames)),
        truth=torch.tensor(truth).unsqueeze(1),
        answers=[len(colors), len(patterns), len(WHAT), len(PHASES)],
        empty=[False, False, True, True],
        cells=CELLS,
        moving=True,
    )


def writing(shown: Sequence[Scan]) -> Sights:
    """Scanned size charts, all of one size: the letters of each merged patch."""
    truth = [_writing_of(scan) for scan in shown]
    return Sights(
        frames=torch.from_numpy(np.stack([scan.picture for scan in shown])).unsqueeze(1),
        truth=torch.tensor(truth),
        answers=[len(letters())] * SLOTS,
        empty=[True] * SLOTS,
        cells=1,
        moving=False,
    )


def _values(look: Look) -> list[int]:
    """The number of each attribute's value."""
    return [list(TERMS[name]).index(value) for name, value in look.attributes().items()]


def _writing_of(scan: Scan) -> list[list[int]]:
    """Of each square, the number of the letter in each slot."""
    known = letters()
    written = [square.letters for square in scan.squares]
    return [list(map(known.index, slots)) for slots in written]
