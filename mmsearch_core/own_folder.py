"""A temporary folder that goes with its process, however that ends: what a process that was killed
left behind, the next one removes."""

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX, LOCK = "mmsearch-", ".lock"
STARTING = 600  # seconds in which a folder without a lock may be one that is just being made


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder under TMPDIR, locked while it is used."""
    _remove_left()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        with Path(name, LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(name)


def _remove_left() -> None:
    """Folders that nobody holds; one of another user stays."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if _is_left(folder):
                shutil.rmtree(folder)


def _is_left(folder: Path) -> bool:
    try:
        lock = Path(folder, LOCK).open("r+")
    except FileNotFoundError:
        return folder.stat().st_mtime < time.time() - STARTING
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
