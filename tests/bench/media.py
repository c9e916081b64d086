"""Opening videos and documents, as the child process of decode does it, against bare loops of the
libraries that read them."""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.adapters.video import open_video
from mmsearch_core.adapters.video.container import look
from mmsearch_core.settings import Decode
from tests.bench.row import Row, compare, megabytes

SECONDS, RATE, SIZE = 20, 25, (1920, 1080)  # of the video that is read for speed
PAGES = 60  # of the document that is read for speed
LARGE = (3840, 2160)
SHORT, LONG = 120, 7200  # seconds of the videos whose memory is compared, a frame a second
FEW, MANY = 1, 100  # documents whose memory is compared
OPEN = """
import sys
from pathlib import Path
from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.adapters.video import open_video
from mmsearch_core.settings import Decode
openers = {"video": open_video, "document": open_document}
for _ in range(int(sys.argv[3])):
    openers[sys.argv[1]](Path(sys.argv[2]), Decode())
"""


def video_frames() -> list[Row]:
    """Ours finds the shots, keeps two frames a second as JPEG in two sizes and the times of all;
    theirs reads each frame in the same size and drops it."""
    import decord

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        film(path, SECONDS, RATE, SIZE)
        settings = Decode()
        width, height = look(path, settings).within(settings.longest_side)

        def reference() -> None:
            reader = decord.VideoReader(
                str(path), ctx=decord.cpu(0), width=width, height=height, num_threads=1
            )
            for _ in range(len(reader)):
                reader.next().asnumpy()

        return compare(
            "video_frames",
            lambda: open_video(path, settings),
            reference,
            items=SECONDS * RATE,
            unit="frames",
            work=f"{SECONDS} s of {SIZE[0]} x {SIZE[1]}, H.264, read as {width} x {height}",
        )


def pdf_pages() -> list[Row]:
    """Ours also leaves out blank pages and writes the text as people type it; theirs draws each
    page, packs it as JPEG and takes its text."""
    import pymupdf

    data, settings = manual(PAGES), Decode()

    def reference() -> None:
        with pymupdf.open(stream=data, filetype="pdf") as document:
            for page in document:
                scale = settings.page_side / max(page.rect.width, page.rect.height)
                drawn = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), alpha=False)
                drawn.tobytes("jpeg", jpg_quality=settings.quality)
                page.get_text("blocks")

    return compare(
        "pdf_pages",
        lambda: open_document(data, settings),
        reference,
        items=PAGES,
        unit="pages",
        work=f"{PAGES} pages of text with a picture each",
    )


def media_memory_flat() -> list[Row]:
    """The most memory of a process that opens a video of two hours in 4K, against one of two
    minutes; and of one that opens a document a hundred times, against once."""
    with tempfile.TemporaryDirectory() as folder:
        short, long, document = (Path(folder, name) for name in ("short.mp4", "long.mp4", "m.pdf"))
        film(short, SHORT, 1, LARGE)
        film(long, LONG, 1, LARGE)
        document.write_bytes(manual(PAGES))
        videos = [peak("video", short, 1), peak("video", long, 1)]
        documents = [peak("document", document, FEW), peak("document", document, MANY)]
    return [
        _flat("video_memory", videos, f"{LONG} s of 4K against {SHORT} s, a frame a second"),
        _flat("document_memory", documents, f"{MANY} documents of {PAGES} pages against {FEW}"),
    ]


def _flat(name: str, peaks: Sequence[float], work: str) -> Row:
    few, many = peaks
    return Row(
        name=name,
        ours=many,
        reference=few,
        ratio=round(many / few, 3),
        unit="MB",
        work=work,
        peak_memory_mb=many,
    )


def peak(kind: str, path: Path, times: int) -> float:
    """Megabytes that a process holds at most which opens the file so often."""
    command = [sys.executable, "-c", OPEN, kind, str(path), str(times)]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"opening a {kind} ended with exit code {process.returncode}")
    return megabytes(usage)


def film(path: Path, seconds: int, rate: int, size: tuple[int, int]) -> None:
    """A video with a cut every five seconds and something that moves."""
    rng = np.random.default_rng(7)
    width, height = size
    coarse = rng.integers(0, 255, (32, height // 40, width // 40, 3), dtype=np.uint8)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        scenes = [np.kron(scene, np.ones((40, 40, 1), np.uint8)) for scene in coarse[:4]]
        for number in range(seconds * rate):
            picture = scenes[number // (5 * rate) % len(scenes)].copy()
            left = number * 8 % (width - 80)
            picture[40:120, left : left + 80] = 255
            frame = av.VideoFrame.from_ndarray(picture[:height, :width], "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def manual(pages: int) -> bytes:
    """A document of pages full of text, with a picture each."""
    import pymupdf
    from PIL import Image

    noise = np.random.default_rng(7).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG")
    with pymupdf.open() as document:
        for number in range(pages):
            page = document.new_page()
            page.insert_image(pymupdf.Rect(72, 72, 300, 240), stream=out.getvalue())
            words = f"Page {number}: wash at 30 degrees, do not tumble dry. " * 40
            page.insert_textbox(pymupdf.Rect(72, 260, 520, 780), words)
        data: bytes = document.tobytes()
    return data
