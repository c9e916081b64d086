"""What servers install, and what they do not."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.docker.conftest import DOCKER, ROOT

HERE = ("mmsearch_core/demo/", "mmsearch_core/models/")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels, by the name of their distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run(
        [str(DOCKER / "build_wheels.sh"), sys.executable, str(folder)], check=True, cwd=ROOT
    )
    return {path.name.split("-")[0]: path for path in folder.glob("*.whl")}


def files(wheel: Path) -> list[str]:
    """The files of a wheel, without what it says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if ".dist-info/" not in name]


def test_servers_install_neither_the_demo_nor_the_models(wheels: dict[str, Path]) -> None:
    """17.7 MB of models of a sample shop, and an embedded stack."""
    found = files(wheels["mmsearch"])
    assert not [name for name in found if name.startswith((*HERE, "tests/", "docker/"))]
    for needed in ("tasks/close.py", "mmsearch_core/prompts/judge.yaml"):
        assert needed in found
    templates = "mmsearch_core/pages/templates/run.html.jinja"
    assert {templates, "mmsearch_core/shards/canary.jpg"} <= set(found)
    assert wheels["mmsearch"].stat().st_size < 2_000_000


def test_the_other_wheel_holds_them_and_nothing_else(wheels: dict[str, Path]) -> None:
    found = files(wheels["mmsearch_demo"])
    assert all(name.startswith(HERE) for name in found)
    kept = [
        str(path.relative_to(ROOT))
        for folder in HERE
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".tmp")
    ]
    assert set(kept) <= set(found)


def test_a_server_without_the_small_models_is_told_what_to_name(
    wheels: dict[str, Path], tmp_path: Path
) -> None:
    """The defaults of the settings name them."""
    with zipfile.ZipFile(wheels["mmsearch"]) as archive:
        archive.extractall(tmp_path)
    code = (
        "from mmsearch_core.settings import load_settings\n"
        "from mmsearch_core.wiring.batches import Runtime\n"
        "try: Runtime(load_settings()).sbert\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
    )
    assert done.stdout.startswith("BadSettings models.sbert names the folder")
    assert "mmsearch-demo" in done.stdout
