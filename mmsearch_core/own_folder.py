"""A temporary folder that goes with its process, however that ends: what a process that was killed
left behind, the next one removes."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX, NEW, LOCK = "mmsearch-", ".mmsearch-lock-new", ".mmsearch-lock"


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder under TMPDIR, locked while it is used."""
    _remove_left()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, Path(name, NEW).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        Path(name, NEW).rename(Path(name, LOCK))  # whoever sees it finds it held
        yield Path(name)


def _remove_left() -> None:
    """Folders whose lock nobody holds. What has no lock is not ours; what another user left, that
    user removes."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError):
            if not _is_held(lock):
                shutil.rmtree(lock.parent)


def _is_held(lock: Path) -> bool:
    with lock.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
