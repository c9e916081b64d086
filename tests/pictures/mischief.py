"""What a hole in a codec may do to the process that opens a file, on demand: reachable from tests
only."""

import os
import resource
import signal
import time

from mmsearch_core.adapters.pillow_picture import open_picture
from mmsearch_core.pages.run.thumbnails import shrink
from mmsearch_core.ports.media import Content
from mmsearch_core.records.segment import Decoded
from mmsearch_core.settings import Decode

CRASH, HANG, SWELL = b"please crash", b"please hang", b"please swell"
ENDS = {CRASH: "KilledTheWorker", HANG: "MediaTooLarge", SWELL: "MediaTooLarge"}


def opener(content: Content, settings: Decode) -> list[Decoded]:
    """Opens pictures, but for three files."""
    _misbehave(content if isinstance(content, bytes) else content.read_bytes())
    return open_picture(content, settings)


def shrinker(data: bytes) -> bytes:
    """Makes thumbnails, but of three files."""
    _misbehave(data)
    return shrink(data)


def _misbehave(data: bytes) -> None:
    if data == CRASH:
        os.kill(os.getpid(), signal.SIGSEGV)
    if data == HANG:
        # as a loop in C, deaf to Python's signals
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        time.sleep(3600)
    if data == SWELL:
        # else the machine would pay
        assert resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
        held = []
        while True:
            held.append(bytearray(b"\1") * 16_000_000)
