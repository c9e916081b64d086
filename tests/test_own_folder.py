"""Temporary folders go with their processes, also with those that are killed."""

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmsearch_core.own_folder import own_folder

HOLD = """
import time
from mmsearch_core.own_folder import own_folder
with own_folder() as folder:
    (folder / "video").write_bytes(b"large")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_folder_goes_when_it_is_left(tmp_path: Path) -> None:
    with own_folder() as folder:
        (folder / "file").write_text("x")
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_many_that_begin_at_once_take_nothing_from_each_other(tmp_path: Path) -> None:
    def use(number: int) -> str:
        with own_folder() as folder:
            (folder / "file").write_text(str(number))
            return (folder / "file").read_text()

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(use, range(400))) == [str(number) for number in range(400)]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_the_next_one_removes_and_no_more(tmp_path: Path) -> None:
    """Neither what another process holds, nor what only has such a name."""
    (tmp_path / "mmsearch-backup").mkdir()
    (tmp_path / "mmsearch-notes").write_text("mine")
    holding = [
        subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    folders = []
    for process in holding:
        assert process.stdout
        folders.append(Path(process.stdout.readline().strip()))
    killed, going_on = holding
    try:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert (folders[0] / "video").exists()
        with own_folder():
            assert not folders[0].exists()
            assert (folders[1] / "video").exists()
            assert (tmp_path / "mmsearch-backup").exists()
            assert (tmp_path / "mmsearch-notes").exists()
    finally:
        going_on.kill()
        going_on.wait()
