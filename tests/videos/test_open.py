"""A video is opened as its shots, with frames at the times at which a player shows them."""

import io
import struct
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from mmsearch_core.adapters.video import open_video, opener
from mmsearch_core.adapters.video.container import look
from mmsearch_core.adapters.video.frames import DecordGaveUp, Shown, by_decord, by_pyav
from mmsearch_core.errors import MediaTooLarge, UnreadableMedia, UnsupportedMedia
from mmsearch_core.records.segment import Decoded, Span
from mmsearch_core.settings import Decode
from mmsearch_core.testing.fake_models import nearest_color
from tests.videos.hostile import noisy
from tests.videos.made import mirrored, sound_only, turned, video

CUT = video(("red", 2.0), ("blue", 3.0))


def spans(data: bytes, **settings: Any) -> list[str]:
    return [str(shot.where) for shot in open_video(data, Decode(**settings))]


def times(shot: Decoded) -> list[float]:
    return [frame.seconds or 0.0 for frame in shot.frames]


def corner(jpeg: bytes, x: int, y: int) -> tuple[int, ...]:
    with Image.open(io.BytesIO(jpeg)) as picture:
        found: Any = picture.getpixel((x % picture.width, y % picture.height))
        return tuple(found)


def is_yellow(color: tuple[int, ...]) -> bool:
    return color[0] > 200 and color[1] > 200 and color[2] < 90


def test_a_segment_a_shot_with_its_key_frame_and_its_frames() -> None:
    red, blue = open_video(CUT, Decode())
    assert (red.where, blue.where) == (Span(start=0, end=2), Span(start=2, end=5))
    assert [nearest_color(shot.jpeg) for shot in (red, blue)] == ["red", "blue"]
    assert {nearest_color(frame.jpeg) for frame in red.frames} == {"red"}
    assert {nearest_color(frame.jpeg) for frame in blue.frames} == {"blue"}
    assert times(red) == [0.0, 0.5, 1.0, 1.5]
    assert times(blue)[0] < 2.4
    assert times(blue)[-1] > 4.4
    assert (red.missing, blue.missing) == (0, 0)


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("libx264", "mp4"),
        ("libx264", "mov"),
        ("libx264", "matroska"),
        ("libx265", "mp4"),
        ("libvpx-vp9", "webm"),
        ("mpeg4", "avi"),
        ("mjpeg", "avi"),
    ],
)
def test_codecs_and_containers(codec: str, container: str) -> None:
    data = video(("red", 2.0), ("blue", 3.0), codec=codec, container=container)
    assert spans(data) == ["span:0.000-2.000", "span:2.000-5.000"]


def test_times_are_those_of_a_player() -> None:
    """Whose clock does not begin anew at the first frame."""
    data = video(("red", 2.0), ("blue", 2.0), start=0.7)
    assert spans(data) == ["span:0.700-2.700", "span:2.700-4.700"]


def test_frames_that_are_shown_for_long_keep_their_times() -> None:
    data = video(("red", 2.0), ("blue", 2.0), leave_out=frozenset({3, 4, 5, 6, 7, 25, 26, 27}))
    red, blue = open_video(data, Decode())
    assert (red.where, blue.where) == (Span(start=0, end=2), Span(start=2, end=4))
    assert times(red) == [0.0, 0.8, 1.3, 1.8]


def test_a_video_that_is_mirrored_is_seen_as_players_show_it() -> None:
    (shot,) = open_video(mirrored(video(("red", 1.0))), Decode())
    assert is_yellow(corner(shot.jpeg, -3, 3))
    assert not is_yellow(corner(shot.jpeg, 3, -3))


def test_a_video_is_upright() -> None:
    (shot,) = open_video(turned(video(("red", 1.0))), Decode())
    with Image.open(io.BytesIO(shot.jpeg)) as picture:
        assert picture.size == (120, 160)
    assert is_yellow(corner(shot.jpeg, -3, 3))
    assert not is_yellow(corner(shot.jpeg, 3, 3))


@pytest.mark.parametrize(
    "data",
    [
        CUT,
        turned(CUT),
        video(("red", 1.0), ("green", 1.5), start=0.7),
        video(("red", 1.0), leave_out=frozenset({2, 3, 7})),
        video(("red", 1.0), codec="mpeg4", container="avi"),
        video(("red", 1.0), size=(1000, 300)),
        video(("red", 1.0), size=(200, 202)),
    ],
    ids=["plain", "turned", "late", "uneven", "avi", "wide", "square"],
)
def test_the_second_chance_sees_what_the_first_one_does(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "video"
    path.write_bytes(data)
    found = look(path, Decode())
    first, second = [list(read(found, found.within(768))) for read in (by_decord, by_pyav)]
    assert [round(shown.start, 3) for shown in first] == [round(shown.start, 3) for shown in second]
    for one, other in zip(first, second, strict=True):
        assert one.picture.shape == other.picture.shape
        assert abs(one.picture.astype(int) - other.picture.astype(int)).mean() < 4


def test_what_decord_gives_up_is_read_as_far_as_pyav_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half a video with its index at the front: decord opens nothing of it."""
    whole = video(("red", 3.0), ("blue", 3.0), container="matroska")
    half = whole[: len(whole) * 2 // 3]

    def gives_up(*_: object) -> Any:
        yield Shown(0.0, 0.1, np.zeros((120, 160, 3), np.uint8))
        raise DecordGaveUp

    monkeypatch.setattr(opener, "by_decord", gives_up)
    (shot,) = open_video(half, Decode())
    assert isinstance(shot.where, Span)
    assert 2 < shot.where.end < 5
    assert shot.missing == pytest.approx(6 - shot.where.end, abs=0.11)


@pytest.mark.parametrize("name", ["png.mov", "mjpeg.avi", "prores.mov", "fast-start.mp4"])
def test_what_cannot_be_read_between_frames_is_missing_too(name: str) -> None:
    """Two of five seconds were overwritten with zeros."""
    data = bytearray(noisy(name))
    with av.open(io.BytesIO(data), "r") as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
    for packet in packets[15:35]:
        assert packet.pos is not None
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    shots = open_video(bytes(data), Decode())
    assert [shot.missing for shot in shots] == [0] * (len(shots) - 1) + [pytest.approx(2)]
    assert isinstance(shots[-1].where, Span)
    assert shots[-1].where.end == 5


def test_whatever_a_library_raises_costs_its_file_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(opener, "look", raises)
    with pytest.raises(UnreadableMedia, match="ZeroDivisionError"):
        open_video(CUT, Decode())


def test_a_long_shot_is_several_that_overlap() -> None:
    data = video(("red", 45.0), fps=4)
    first, second = open_video(data, Decode(window_seconds=20))[:2]
    assert first.where == Span(start=0, end=20)
    assert second.where == Span(start=16, end=36)
    assert times(second)[0] == 16
    assert spans(data, window_seconds=20)[-1] == "span:32.000-45.000"


def test_the_little_that_goes_on_behind_a_long_shot_belongs_to_it() -> None:
    data = video(("red", 22.0), fps=4)
    (shot,) = open_video(data, Decode(window_seconds=20))
    assert shot.where == Span(start=0, end=22)
    assert times(shot)[-1] >= 21
    assert times(shot) == sorted(set(times(shot)))


def test_of_a_longer_video_fewer_frames_are_kept() -> None:
    (shot,) = open_video(video(("red", 20.0), fps=4), Decode(most_frames=10))
    assert len(shot.frames) == 10


def test_a_narrow_video_goes_by_the_second_chance() -> None:
    """decord mistakes the padding of its lines for a fourth color."""
    (shot,) = open_video(video(("red", 1.0), size=(96, 160)), Decode())
    assert (nearest_color(shot.jpeg), len(shot.frames)) == ("red", 2)


def test_what_an_editor_cut_off_behind_is_not_seen() -> None:
    """decord would make up the frames that the list of edits hides."""
    place = CUT.index(b"elst") + len(b"elst") + 8  # the milliseconds of the only edit
    shorter = CUT[:place] + struct.pack(">I", 3000) + CUT[place + 4 :]
    assert spans(shorter) == ["span:0.000-2.000", "span:2.000-3.000"]


def test_a_matroska_file_that_begins_late_misses_nothing() -> None:
    """Its duration counts from nought, and not from its first frame."""
    late = video(("red", 2.0), ("blue", 2.0), container="matroska", start=300.0)
    red, blue = open_video(late, Decode(most_frames=100))
    assert (red.where, blue.where) == (Span(start=300, end=302), Span(start=302, end=304))
    assert (len(red.frames), blue.missing) == (4, 0)


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_one_frame_is_a_shot(container: str) -> None:
    """Of one in a Matroska file decord says that it is shown after millions of years."""
    (shot,) = open_video(video(("red", 0.1), container=container), Decode())
    assert shot.where == Span(start=0, end=0.1)
    assert len(shot.frames) == 1


def test_pictures_are_bounded() -> None:
    (shot,) = open_video(
        video(("red", 1.0), size=(640, 480)), Decode(longest_side=320, frame_side=64)
    )
    with (
        Image.open(io.BytesIO(shot.jpeg)) as large,
        Image.open(io.BytesIO(shot.frames[0].jpeg)) as small,
    ):
        assert (large.size, small.size) == ((320, 240), (64, 48))


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (b"", UnreadableMedia, "empty"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", UnsupportedMedia, "no video in one of"),
        (b"%PDF-1.7", UnsupportedMedia, "no video in one of"),
        (CUT[:40], UnreadableMedia, "damaged"),
        (CUT[: len(CUT) // 2], UnreadableMedia, "damaged"),
        (CUT.replace(b"moov", b"moo?"), UnreadableMedia, "damaged"),
        (sound_only(), UnsupportedMedia, "no video track"),
        (video(("red", 0.2), size=(800, 2)), UnsupportedMedia, "over 200 times"),
    ],
    ids=["empty", "playlist", "pdf", "head", "half", "no-index", "sound", "steep"],
)
def test_what_is_no_video_says_what_to_do(data: bytes, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as told:
        open_video(data, Decode())
    assert str(told.value).endswith(".")


def test_limits() -> None:
    with pytest.raises(MediaTooLarge, match=r"decode\.most_pixels"):
        open_video(CUT, Decode(most_pixels=1000))
    with pytest.raises(MediaTooLarge, match=r"decode\.most_shots"):
        open_video(CUT, Decode(most_shots=1))


def test_without_the_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(UnsupportedMedia, match=r"mmsearch\[media\]"):
        open_video(CUT, Decode())
