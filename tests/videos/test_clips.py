"""Moments of a product's videos are proposed, and cut out."""

import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mmsearch_core.adapters.video import cut, open_video
from mmsearch_core.cli.app import app
from mmsearch_core.errors import StageMissing, UnreadableMedia, UnsupportedMedia
from mmsearch_core.records.ids import ProductId
from mmsearch_core.records.segment import Span
from mmsearch_core.search.clips import Clip, clips_of
from mmsearch_core.settings import Decode
from mmsearch_core.testing.fake_models import nearest_color
from mmsearch_core.wiring.batches import Runtime
from tests.line import commands_see, fake_runtime, feed, index, picture
from tests.videos.clocks import at_times
from tests.videos.film import Film
from tests.videos.hostile import noisy
from tests.videos.made import mirrored, sound_only, turned, video, with_sound

CUT = video(("red", 2.0), ("blue", 3.0), ("green", 2.0))


@pytest.fixture
def shop() -> Runtime:
    """A product with a video of three shots, and one with a picture."""
    runtime = fake_runtime()
    feed(runtime, {"p1": "Blue dress", "p2": "Lumen 2"})
    runtime.catalog.put("pictures/p1/turn.mp4", CUT)
    runtime.catalog.put("pictures/p2/1.jpg", picture("blue"))
    index(runtime)
    return runtime


def clips(runtime: Runtime, product: str = "p1", asked: str = "") -> list[Clip]:
    line = runtime.line()
    return clips_of(ProductId(product), asked, line.stores, line.target, runtime.sbert)


def test_the_clip_that_shows_what_is_asked_for_comes_first(shop: Runtime) -> None:
    found = clips(shop, asked="red dress")
    assert len(found) == 3
    assert found[0].why == "the red dress turns around"
    assert 0 <= found[0].start < found[0].end <= 2
    assert found[0].key == "pictures/p1/turn.mp4"
    assert found[0].fragment == f"t={found[0].start:.1f}"


def test_without_a_wish_the_products_title_counts(shop: Runtime) -> None:
    assert clips(shop)[0].why == "the blue dress turns around"


def test_moments_that_show_the_same_are_proposed_once(shop: Runtime) -> None:
    """Parts of a long shot overlap, and what happens there is seen twice."""
    shop.catalog.put("pictures/p1/turn.mp4", video(("red", 45.0), fps=4))
    index(shop, "run-2")
    found = sorted(clips(shop), key=lambda clip: clip.start)
    for earlier, later in pairwise(found):
        assert earlier.end - later.start <= 0.5 * (later.end - later.start)


@pytest.mark.parametrize("product", ["p2", "nobody"])
def test_a_product_without_a_video_says_so(shop: Runtime, product: str) -> None:
    with pytest.raises(StageMissing, match=f"no video of the product {product}"):
        clips(shop, product)


def test_rows_of_a_video_that_went_are_no_clips(shop: Runtime) -> None:
    shop.catalog.delete("pictures/p1/turn.mp4")
    index(shop, "run-2")
    with pytest.raises(StageMissing):
        clips(shop)


def shots(path: Path) -> list[tuple[str, str]]:
    """Place and color of each shot of a file."""
    return [(str(shot.where), nearest_color(shot.jpeg)) for shot in open_video(path, Decode())]


def test_a_clip_is_a_video_of_its_own(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "clip.mp4"
    source.write_bytes(CUT)
    cut(source, Span(start=1, end=3.5), target, Decode())
    assert shots(target) == [("span:0.000-1.000", "red"), ("span:1.000-2.500", "blue")]


def test_a_clip_is_cut_by_a_players_clock(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "clip.mp4"
    source.write_bytes(video(("red", 2.0), ("blue", 2.0), start=0.7))
    cut(source, Span(start=2.7, end=4.7), target, Decode())
    assert shots(target) == [("span:0.000-2.000", "blue")]


def test_a_clip_of_a_video_that_broke_off(tmp_path: Path) -> None:
    """What is seen of it can be cut out of it."""
    source, target = tmp_path / "source", tmp_path / "clip.mp4"
    whole = noisy("fast-start.mp4")
    source.write_bytes(whole[: len(whole) * 6 // 10])
    assert [color for _, color in shots(source)] == ["red", "blue"]
    cut(source, Span(start=1, end=4), target, Decode())
    assert [color for _, color in shots(target)] == ["red", "blue"]


def test_a_clip_of_a_video_with_uneven_frames(tmp_path: Path) -> None:
    """As telephones make them: two may follow each other faster than the rate of the video."""
    source, target = tmp_path / "source", tmp_path / "clip.mp4"
    times = [number // 2 / 10 + number % 2 * 0.011 for number in range(80)]
    uneven = Film(container="matroska", ticks=1000)
    source.write_bytes(at_times(times, ("red", 2.0), ("blue", 2.0), film=uneven))
    cut(source, Span(start=1, end=3), target, Decode())
    assert [color for _, color in shots(target)] == ["red", "blue"]
    assert shots(target)[0][0] == "span:0.000-1.000"


@pytest.mark.parametrize("way", [turned, mirrored])
def test_a_clip_is_upright(tmp_path: Path, way: Callable[[bytes], bytes]) -> None:
    source, target = tmp_path / "source", tmp_path / "clip.mp4"
    source.write_bytes(way(video(("red", 1.0))))
    cut(source, Span(start=0, end=1), target, Decode())
    (before,), (after,) = open_video(source, Decode()), open_video(target, Decode())
    assert pictures_differ_by(before.jpeg, after.jpeg) < 8


def pictures_differ_by(one: bytes, other: bytes) -> float:
    first, second = (np.asarray(Image.open(io.BytesIO(jpeg)), int) for jpeg in (one, other))
    assert first.shape == second.shape
    return float(abs(first - second).mean())


def test_a_clip_keeps_its_sound(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "clip.mp4"
    source.write_bytes(with_sound(("red", 2.0), ("blue", 2.0)))
    cut(source, Span(start=1, end=3), target, Decode())
    with av.open(str(target)) as file:
        (sound,) = file.streams.audio
        heard = [frame.time or 0.0 for frame in file.decode(sound)]
    assert 1.7 < heard[-1] < 2.1


def test_the_command_shows_clips_and_cuts_them(
    shop: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands_see(shop, monkeypatch)
    done = CliRunner().invoke(app, ["clips", "p1", "red dress"], env={"COLUMNS": "200"})
    assert "pictures/p1/turn.mp4#" in done.stdout
    arguments = ["clips", "p1", "red dress", "--limit", "1", "--json", "--cut", str(tmp_path)]
    said = json.loads(CliRunner().invoke(app, arguments).stdout)
    (file,) = said["files"]
    assert shots(Path(file))[0][1] == "red"
    assert said["clips"][0]["why"] == "the red dress turns around"


def test_a_clip_that_cannot_be_cut_says_which_and_leaves_no_file(
    shop: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its video was replaced after it was indexed."""
    shop.catalog.put("pictures/p1/turn.mp4", CUT[: len(CUT) // 2])
    commands_see(shop, monkeypatch)
    done = CliRunner().invoke(app, ["clips", "p1", "--cut", str(tmp_path)])
    assert isinstance(done.exception, UnreadableMedia)
    assert str(done.exception).startswith("pictures/p1/turn.mp4 cannot be cut. ")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_cut_out_of_what_is_no_video(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(sound_only())
    with pytest.raises(UnsupportedMedia):
        cut(source, Span(start=0, end=1), tmp_path / "clip.mp4", Decode())
