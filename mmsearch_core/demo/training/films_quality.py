"""How well the tiny Qwen3-VL says what happens in films, and when: measured on films of garments
that it was not trained on, opened as the shop's videos are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from more_itertools import chunked

from mmsearch_core.adapters.transformers_vlm import TransformersVLM
from mmsearch_core.adapters.video.opener import open_video
from mmsearch_core.answers import to_description
from mmsearch_core.demo.film import Change, Film, encoded, film_of, happens
from mmsearch_core.demo.picture import photographs_of
from mmsearch_core.demo.training.films import RATE
from mmsearch_core.demo.vocabulary import every_look
from mmsearch_core.errors import BadRecord
from mmsearch_core.media.video import events
from mmsearch_core.media.words import Words
from mmsearch_core.prompts import load
from mmsearch_core.records.description import Event
from mmsearch_core.records.ids import AssetId, PixelsId, ProductId, SegmentId
from mmsearch_core.records.question import Answer, Question
from mmsearch_core.records.segment import Decoded, Segment
from mmsearch_core.settings import Decode
from mmsearch_core.stages.index.describe import question
from mmsearch_core.vocabulary import load as load_vocabulary

FILMS = 100
NEAR = 0.5  # seconds that a start and an end may be off
BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A film and what is said to happen in it."""

    film: Film
    said: tuple[Event, ...]

    @property
    def found(self) -> list[bool]:
        """Of each change whether it is said, in both languages and at its time."""
        return [
            any(self._is_of(event, change) for event in self.said) for change in self.film.changes
        ]

    @property
    def true(self) -> list[bool]:
        """Of each event that is said whether it happens so, at that time."""
        return [
            any(self._is_of(event, change) for change in self.film.changes) for event in self.said
        ]

    def _is_of(self, event: Event, change: Change) -> bool:
        return (
            dict(event.text) == happens(change)
            and abs(event.start - change.start) <= NEAR
            and abs(event.end - change.end) <= NEAR
        )


def held_out_films(seed: int) -> Iterator[tuple[Film, bytes]]:
    """Films of 0 to 3 changes, with their MP4, made of photographs of the test split."""
    rng, looks = np.random.default_rng((seed, 3)), every_look()
    for number in range(FILMS):
        look = looks[int(rng.integers(len(looks)))]
        film = film_of(look, rng, changes=number % 4)
        photos = photographs_of(look.category)
        yield film, encoded(film, photos[int(rng.integers(len(photos)))])


def watching(vlm: TransformersVLM, seed: int) -> list[Watched]:
    """The held-out films as the model sees them."""
    films, segments = [], []
    for film, data in held_out_films(seed):
        films.append(film)
        segments.append(_opened(data))
    asked = [
        question(load("describe_video"), segment.frames, load_vocabulary("sample"))
        for segment in segments
    ]
    watched = []
    for film, segment, answer in zip(films, segments, _answers(vlm, asked), strict=True):
        watched.append(Watched(film=film, said=tuple(_events(segment, answer))))
    return watched


def _opened(data: bytes) -> Decoded:
    """The film's only shot."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        path.write_bytes(data)
        (shot,) = open_video(path, Decode(frames_per_second=RATE))
    return shot


def _answers(vlm: TransformersVLM, asked: Sequence[Question]) -> Iterator[Answer | BadRecord]:
    for some in chunked(asked, BATCH):
        yield from vlm.answer(some)


def _events(shot: Decoded, answer: Answer | BadRecord) -> list[Event]:
    if isinstance(answer, BadRecord):
        return []
    name = SegmentId("")
    try:
        said = to_description(answer.text, name)
    except BadRecord:
        return []
    segment = Segment(
        segment_id=name,
        asset_id=AssetId(""),
        product_id=ProductId(""),
        where=shot.where,
        pixels=PixelsId(""),
    )
    return events(Words(segment=segment, description=said, product=None))
