"""Films of the sample shop: what is said to happen is what is seen, when it is said."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mmsearch_core.adapters.video.opener import open_video
from mmsearch_core.demo.film import Change, Film, encoded, film_of, happens, shown
from mmsearch_core.demo.picture import garments
from mmsearch_core.demo.vocabulary import Look
from mmsearch_core.settings import Decode

RED = Look(category="dress", color="red", pattern="plain")
DRESS = garments()[3, 0]


def film(*changes: Change) -> Film:
    return Film(look=RED, seconds=6.0, changes=changes, pose=5)


def pictures(what: Film, times: Sequence[float]) -> list[np.ndarray]:
    return [np.asarray(one, dtype=float) for one in shown(what, DRESS, times, size=64)]


def far(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize(
    "change",
    [
        Change(start=2.0, end=3.0, what="color", value="blue"),
        Change(start=2.0, end=3.0, what="pattern", value="striped"),
        Change(start=2.0, end=3.0, what="turn"),
        Change(start=2.0, end=3.0, what="nearer"),
    ],
)
def test_it_is_still_but_while_it_changes(change: Change) -> None:
    before, late, middle, after, end = pictures(film(change), [0.0, 2.0, 2.4, 3.0, 5.9])
    assert far(before, late) == 0
    assert far(after, end) == 0
    assert far(before, middle) > 1
    assert far(middle, after) > 1


def test_who_turns_around_is_seen_from_the_other_side() -> None:
    before, after = pictures(film(Change(start=2.0, end=3.0, what="turn")), [0.0, 4.0])
    assert far(before[:, ::-1], after) < far(before, after)


def test_colors_come_one_after_the_other() -> None:
    changes = [
        Change(start=1.0, end=2.0, what="color", value="blue"),
        Change(start=3.0, end=4.0, what="color", value="green"),
    ]
    middles = [one[28:36, 28:36].mean(axis=(0, 1)) for one in pictures(film(*changes), [0, 2.5, 5])]
    assert [int(color.argmax()) for color in middles] == [0, 2, 1]


def test_changes_follow_one_another_and_are_never_the_same_twice() -> None:
    rng = np.random.default_rng(1)
    for count in (0, 1, 2, 3) * 20:
        made = film_of(RED, rng, changes=count)
        assert len(made.changes) == count
        assert all(one.end < next_one.start for one, next_one in pairwise(made.changes))
        assert all(one.what != next_one.what for one, next_one in pairwise(made.changes))
        assert all(0 < one.start < one.end < made.seconds for one in made.changes)
        assert all(set(happens(one)) == {"en", "zh"} for one in made.changes)


def test_a_film_is_one_shot_of_its_length_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    what = film(Change(start=2.0, end=3.0, what="color", value="blue"))
    data = encoded(what, DRESS, size=96)
    assert data == encoded(what, DRESS, size=96)
    (tmp_path / "film.mp4").write_bytes(data)
    (shot,) = open_video(tmp_path / "film.mp4", Decode(frames_per_second=4))
    assert str(shot.where) == "span:0.000-6.000"
    assert len(shot.frames) == 24
