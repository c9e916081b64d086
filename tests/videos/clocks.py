"""When frames are shown: rates even and uneven, clocks that begin late, orders that are not that of
the file, lists of edits."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from tests.videos.case import Case, Scene, shots, sights
from tests.videos.film import TWO, Film, Picture, drawn, packets, plain, reading, remuxed, written
from tests.videos.usual import seen

B_FRAMES = {"bf": "2", "b-adapt": "0", "g": "20"}
THREE: tuple[Scene, ...] = (("green", 1.5), ("red", 2.0), ("blue", 1.5))
MPEG4 = Film(codec="mpeg4", container="avi", rate=Fraction(25))


def rates() -> Iterator[Case]:
    """Frames that are shown for equally long, shorter than anybody sees and for many seconds."""
    fast = (5, 12, Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 50)
    fast += (Fraction(60000, 1001), 60, 90, 120)  # type: ignore[assignment]
    for rate in fast:
        for container in ("mp4", "matroska", "avi"):
            codec = "mpeg4" if container == "avi" else "libx264"
            film = Film(codec=codec, container=container, rate=Fraction(rate), size=(112, 64))
            # a cut lies between two frames, and both scenes end with a whole frame
            ends: dict[str, Any] = {"slack": 0.1 if rate > 5 else 0.2}
            yield seen(f"rates/{float(rate):.3f}.{container}", film.of(*TWO), *TWO, **ends)
    yield seen("rates/240.mp4", Film(rate=Fraction(240), size=(64, 64)).of(*TWO), *TWO)
    for rate, seconds in ((Fraction(2), 5.0), (Fraction(1), 8.0), (Fraction(1, 2), 16.0)):
        scenes: tuple[Scene, ...] = (("red", seconds), ("blue", seconds))
        for container in ("mp4", "matroska"):
            film = Film(container=container, rate=rate)
            gap = float(1 / rate) + 0.6
            name = f"rates/{float(rate):.3f}.{container}"
            yield seen(name, film.of(*scenes), *scenes, gap=gap, slack=0.1)


def at_times(times: list[float], *scenes: Scene, film: Film) -> bytes:
    """A video with a frame at each of these times, which shows the scene of that time."""

    def pictures() -> Iterator[tuple[float, Picture]]:
        looks = sights(*scenes)
        ends = [sight.since for sight in looks[1:]]
        for seconds in times:
            number = sum(end <= seconds + 0.0005 for end in ends)
            yield seconds, drawn(scenes[number][0], film.size)

    return film.of_pictures(pictures())


def uneven() -> Iterator[Case]:
    """Frames that are shown for unequally long, as telephones and recorded screens have them."""
    rng = random.Random(3)
    kinds = {
        "one-in-three": [n / 30 for n in range(150) if n % 3 == 0 or n > 75],
        "slower": [n / 30 for n in range(75)] + [2.5 + n / 6 for n in range(15)],
        "faster": [n / 6 for n in range(15)] + [2.5 + n / 60 for n in range(150)],
        "waits": [n / 20 for n in range(100) if not 8 < n < 22 and not 50 < n < 65],
        "shaking": [n / 25 + rng.uniform(-0.015, 0.015) * (n % 50 > 0) for n in range(125)],
        "dropped": [n / 25 for n in range(125) if n % 50 == 0 or rng.random() > 0.4],
        "in-pairs": [n // 2 / 10 + n % 2 * 0.011 for n in range(100)],
    }
    for name, times in kinds.items():
        times = [max(0.0, seconds) for seconds in times]
        for container in ("mp4", "matroska", "webm"):
            codec = "libvpx-vp9" if container == "webm" else "libx264"
            film = Film(codec=codec, container=container, ticks=1000, size=(112, 64))
            data = at_times(times, *TWO, film=film)
            gap = 1.3 if name == "waits" else 0.85
            yield seen(f"uneven/{name}.{container}", data, *TWO, gap=gap, slack=0.17)
    ordered = Film(ticks=1000, options=B_FRAMES, rate=Fraction(30))
    for name in ("slower", "dropped"):
        data = at_times(kinds[name], *TWO, film=ordered)
        yield seen(f"uneven/{name}-b.mp4", data, *TWO, gap=0.85, slack=0.17)


def screens() -> Iterator[Case]:
    """Recordings of a screen: a frame whenever something changes, and none while nothing does."""
    times = [0.0, 0.1, 0.2, 4.0, 4.1, 4.2, 4.3, 9.0, 9.1, 9.2, 9.3, 9.4, 10.9]
    scenes: tuple[Scene, ...] = (("red", 4.0), ("blue", 5.0), ("green", 2.0))
    for container in ("mp4", "matroska"):
        film = Film(container=container, ticks=1000)
        data = at_times(times, *scenes, film=film)
        yield seen(f"screens/changes.{container}", data, *scenes, gap=None)


def late() -> Iterator[Case]:
    """A player's clock does not begin anew with the first frame."""
    for start in (0.1, 0.7, 3.0, 60.0, 3600.0):
        for container in ("mp4", "mov", "matroska"):
            film = Film(container=container)
            name = f"late/{start}.{container}"
            yield seen(name, film.of(*TWO, start=start), *TWO, start=start)
    ordered = Film(container="matroska", options=B_FRAMES)
    yield seen("late/b.matroska", ordered.of(*TWO, start=0.7), *TWO, start=0.7)
    narrow = Film(size=(96, 160))
    yield seen("late/narrow.mp4", narrow.of(*TWO, start=0.7), *TWO, start=0.7)
    for start in (0.7, 60.0):
        # a piece of a live stream: its fragments say how long the stream had gone on
        ticks = struct.pack(">Q", round(start * 10240))
        data = Film(muxing={"movflags": "frag_keyframe+empty_moov"}).of(*TWO)
        place = data.index(b"tfdt") + len(b"tfdt") + 4
        live = data[:place] + ticks + data[place + 8 :]
        yield seen(f"late/live-{start}.mp4", live, *TWO, start=start)


def orders() -> Iterator[Case]:
    """Frames that are stored in another order than that in which they are shown."""
    ways: dict[str, Film] = {
        "h264.mp4": Film(options=B_FRAMES),
        "h264.mkv": Film(options=B_FRAMES, container="matroska"),
        "h264-pyramid.mp4": Film(
            options=B_FRAMES | {"bf": "5", "b-pyramid": "normal", "refs": "4"}
        ),
        "h264-open.mp4": Film(options=B_FRAMES | {"x264-params": "open-gop=1:keyint=10"}),
        "hevc.mp4": Film(
            codec="libx265",
            options={"x265-params": "log-level=none:pools=none:bframes=4:b-adapt=0:keyint=20"},
        ),
        "mpeg4.mp4": Film(codec="mpeg4", rate=Fraction(25), options={"bf": "2"}),
        "mpeg4.mkv": Film(
            codec="mpeg4", container="matroska", rate=Fraction(25), options={"bf": "2"}
        ),
        "mpeg2.mkv": Film(
            codec="mpeg2video", container="matroska", rate=Fraction(25), options={"bf": "2"}
        ),
        "av1.mp4": Film(codec="libsvtav1", options={"g": "20"}),
        "vp9.webm": Film(
            codec="libvpx-vp9",
            container="webm",
            options={"deadline": "good", "auto-alt-ref": "1", "lag-in-frames": "16"},
        ),
        "intra.mp4": Film(options={"g": "1"}),
        "one-key.mp4": Film(options={"g": "1000", "keyint_min": "1000", "sc_threshold": "0"}),
    }
    for name, film in ways.items():
        yield seen(f"orders/{name}", film.of(*THREE), *THREE)


def packed() -> Iterator[Case]:
    """DivX in AVI: a B-frame is in the packet of the frame before, and then comes an empty one."""
    data = Film(codec="mpeg4", rate=Fraction(25), options={"bf": "1", "b_strategy": "0"}).of(*TWO)
    data = data.replace(b"Lavc62", b"DivX50").replace(b"DivX50.28.102", b"DivX503b1393p")
    stored = [(bytes(packet), packet.is_keyframe) for packet in packets(data)]
    yield seen("packed/pairs.avi", _avi(data, list(_paired(stored)), one=True), *TWO, slack=0.13)
    # the same, one by one, in the order of the file
    yield seen("packed/loose.avi", _avi(data, stored, one=False), *TWO, slack=0.13)


def _paired(stored: list[tuple[bytes, bool]]) -> Iterator[tuple[bytes, bool]]:
    empty = b"\x00\x00\x01\xb6\x51\x01\x7f"  # a frame that is not coded: the one before stays
    place = 0
    while place < len(stored):
        data, key = stored[place]
        coming = stored[place + 1][0] if place + 1 < len(stored) else b""
        if not key and _is_b(coming):
            yield data + coming, False
            yield empty, False
            place += 2
        else:
            yield data, key
            place += 1


def _is_b(data: bytes) -> bool:
    place = data.find(b"\x00\x00\x01\xb6")
    return place >= 0 and data[place + 4] >> 6 == 2


def _avi(data: bytes, stored: list[tuple[bytes, bool]], *, one: bool) -> bytes:
    """These packets of the MPEG-4 video in an AVI, one a frame."""
    import av

    with reading(data) as source, written("avi", {}) as (file, path):
        stream = file.add_stream_from_template(source.streams.video[0])
        for number, (payload, key) in enumerate(stored):
            packet = av.Packet(payload)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.dts = number
            packet.pts = number if one else None
            packet.is_keyframe = key
            file.mux(packet)
        file.close()
        return path.read_bytes()


def edits() -> Iterator[Case]:
    """Lists of edits of an MP4: a player leaves out what was cut off, and waits where it should."""
    red_and_blue: tuple[Scene, ...] = (("red", 1.0), ("blue", 3.0))
    keys = Film(options={"g": "10", "keyint_min": "10"}).of(*TWO)
    yield seen("edits/first-second-off.mp4", edited(keys, (4000, 10240)), *red_and_blue)
    between = Film(options={"g": "1000", "sc_threshold": "0"}).of(*TWO)
    yield seen("edits/off-between-keys.mp4", edited(between, (4000, 10240)), *red_and_blue)
    shorter: tuple[Scene, ...] = (("red", 2.0), ("blue", 1.0))
    yield seen("edits/end-off.mp4", edited(keys, (3000, 0)), *shorter)
    yield seen("edits/waits.mp4", edited(keys, (2000, -1), (5000, 0)), *TWO, start=2.0)
    twice: tuple[Scene, ...] = (("blue", 2.0), ("red", 2.0))
    yield seen(
        "edits/other-way-round.mp4", edited(keys, (2000, 30720), (2000, 0)), *twice, missing=None
    )
    yield seen("edits/none.mp4", plain().replace(b"edts", b"free"), *TWO)
    # nonsense, which players overlook or stop at
    for name, entry in {
        "beyond-the-end": (5000, 10**8),
        "empty": (0, 0),
        "negative": (5000, -7),
        "endless": (2**31 - 1, 0),
    }.items():
        yield Case(
            name=f"edits/{name}.mp4",
            data=edited(keys, entry),
            gap=None,
            missing=None,
            fails=frozenset({"UnreadableMedia"}),
            either=True,
        )


def edited(data: bytes, *entries: tuple[int, int]) -> bytes:
    """The MP4 with another list of edits: milliseconds of each, and from which tick on."""
    old = data.index(b"elst") - 4
    length = struct.unpack(">I", data[old : old + 4])[0]
    rows = b"".join(struct.pack(">Iihh", *entry, 1, 0) for entry in entries)
    box = struct.pack(">I4sII", 16 + len(rows), b"elst", 0, len(entries)) + rows
    grown = bytearray(data[:old] + box + data[old + length :])
    for around in (b"edts", b"trak", b"moov"):
        place = grown.index(around) - 4
        size = struct.unpack(">I", grown[place : place + 4])[0]
        grown[place : place + 4] = struct.pack(">I", size + len(box) - length)
    return bytes(grown)


def shifted() -> Iterator[Case]:
    """Times that begin before nought, and the same packets in other containers."""
    for container in ("mov", "matroska"):
        yield seen(f"shifted/copied.{container}", remuxed(plain(), container), *TWO)
    data = Film(options=B_FRAMES).of(*TWO)
    for container in ("mov", "matroska"):
        yield seen(f"shifted/copied-b.{container}", remuxed(data, container), *TWO)
    kept = {"avoid_negative_ts": "disabled"}
    yield seen("shifted/negative.mov", remuxed(data, "mov", kept), *TWO)
    early = Film(container="mp4", muxing=kept)
    # of what lies before nought a player shows nothing
    yield Case(
        name="shifted/early.mp4",
        data=early.of(*TWO, start=-1.0),
        shots=shots(0, 1, 4),
        sights=sights(("red", 1.0), ("blue", 3.0)),
    )
