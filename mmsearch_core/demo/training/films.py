"""Films to learn from: garments of the training split to which something happens."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mmsearch_core.demo.film import Change, Film, film_of, happens, shown
from mmsearch_core.demo.language import film_answer
from mmsearch_core.demo.training.pictures import photographs
from mmsearch_core.demo.vocabulary import CATEGORIES, COLORS, PATTERNS, Look
from mmsearch_core.records.description import Event

DRAWN = 200  # pixels a side; then made smaller, as frames are
RATE = 4.0  # frames a second that are shown to the model
UNSEEN = 0.15  # of a change, at its beginning and at its end, that nobody sees
MOST_CHANGES = 3
LATEST = 45.0  # seconds into a video at which a shot begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Reel:
    """A film as a model is shown it: frames of shape (n, side, side, 3), uint8, and their times,
    in seconds from the film's start."""

    film: Film
    frames: npt.NDArray[np.uint8]
    times: tuple[float, ...]


def reels(folder: Path, split: str, count: int, *, seed: int, side: int = 96) -> list[Reel]:
    """``count`` films; the same for the same arguments."""
    images, labels = photographs(folder, split)
    rng = np.random.default_rng((seed, 1))
    jobs = [
        (images[place], int(labels[place]), seed * 1_000_003 + number, side)
        for number, place in enumerate(rng.integers(0, len(images), count))
    ]
    with multiprocessing.get_context("fork").Pool() as workers:
        return workers.map(_reel, jobs, chunksize=20)


def _reel(job: tuple[npt.NDArray[np.uint8], int, int, int]) -> Reel:
    photo, label, seed, side = job
    rng = np.random.default_rng(seed)
    look = Look(
        category=CATEGORIES[label].en,
        color=COLORS[int(rng.integers(len(COLORS)))].en,
        pattern=PATTERNS[int(rng.integers(len(PATTERNS)))].en,
    )
    film = film_of(look, rng, changes=int(rng.integers(MOST_CHANGES + 1)))
    times = times_of(film, shot_at=float(rng.choice([24.0, 25.0, 30.0])))
    small = (side, side)
    frames = [
        np.asarray(frame.resize(small, Image.Resampling.BICUBIC))
        for frame in shown(film, photo, times, size=DRAWN)
    ]
    return Reel(film=film, frames=np.stack(frames), times=times)


def times_of(film: Film, *, shot_at: float) -> tuple[float, ...]:
    """When the frames are shown that are looked at, of a film with ``shot_at`` frames a second."""
    count = int(film.seconds * RATE)
    return tuple(round(number / RATE * shot_at) / shot_at for number in range(count))


def clock(times: npt.NDArray[np.float64]) -> list[str]:
    """The times that Qwen3-VL is told: one for every two frames, the middle between them."""
    if len(times) % 2:
        times = np.append(times, times[-1])
    return [f"{time:.1f}" for time in times.reshape(-1, 2).mean(axis=1)]


def answer(reel: Reel, begin: float) -> str:
    """What is said of the film where it begins at this second of the video. Times are those of the
    model's clock that are nearest, which it can copy."""
    told = [float(time) for time in clock(np.array(reel.times) + begin)]
    events = []
    for change in reel.film.changes:
        first, last = _seen(change, reel)
        events.append(Event(start=told[first], end=told[last], text=happens(change)))
    return film_answer(reel.film.look, events)


def _seen(change: Change, reel: Reel) -> tuple[int, int]:
    """The first and the last time of the clock at which the change can be seen to go on."""
    told = np.array([float(time) for time in clock(np.array(reel.times))])
    unseen = UNSEEN * (change.end - change.start)
    first = np.abs(told - change.start - unseen).argmin()
    last = np.abs(told - change.end + unseen).argmin()
    return int(first), int(last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What can be seen in two frames that are shown together."""

    color: str  # the new one once the change is half done
    pattern: str
    what: str  # of the change that goes on, or NOTHING
    phase: str
    number: int  # of changes that have begun


NOTHING = "no"
PHASES = STILL, BEGINS, GOES_ON, ENDS = (NOTHING, '"}}, {"start": ', " becomes", ', "end": ')
WHAT = (NOTHING, "color", "pattern", "turn", "nearer")
WORDS = {"turn": " around", "nearer": " nearer"}  # for what is no token by its own name


def moments(reel: Reel) -> list[Moment]:
    """What goes on at each time of the clock."""
    told = [float(time) for time in clock(np.array(reel.times))]
    changes = [(change, *_seen(change, reel)) for change in reel.film.changes]
    made = []
    for place, time in enumerate(told):
        look, what, phase, number = reel.film.look, NOTHING, STILL, 0
        for change, first, last in changes:
            if change.value and time >= (change.start + change.end) / 2:
                look = replace(look, **{change.what: change.value})
            if place >= first:
                number += 1
            if first <= place <= last:
                what = change.what
                phase = {first: BEGINS, last: ENDS}.get(place, GOES_ON)
        made.append(
            Moment(color=look.color, pattern=look.pattern, what=what, phase=phase, number=number)
        )
    return made


def hints(reel: Reel, begin: float) -> Iterator[list[str]]:
    """Of every two frames what the model is to know once it has seen them, as one token each. It
    is trained to say so behind the last of their patches, though nobody asks for it later: without
    that, it guesses the times for thousands of steps."""
    for moment, time in zip(moments(reel), clock(np.array(reel.times) + begin), strict=True):
        whole, tenth = time.split(".")
        word = WORDS.get(moment.what, moment.what)
        seen = [moment.color, moment.pattern, word, str(moment.number), moment.phase]
        yield [*f"{int(whole):02}", tenth, *seen]


def metadata(times: npt.NDArray[np.float64]) -> Any:
    """The times as the processor wants to be told."""
    from transformers.video_utils import VideoMetadata

    ticks = [round(1_000 * time) for time in times]
    return VideoMetadata(total_num_frames=ticks[-1] + 1, fps=1_000, frames_indices=ticks)
