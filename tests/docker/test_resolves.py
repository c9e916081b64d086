"""The ranges of pyproject.toml and the pins of constraints.txt have a solution, with every extra.

pip would need minutes to say so; uv takes seconds. Both need a package index, as `make setup` does.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.conftest import DOCKER, ROOT
from tests.docker.test_pins import PROJECT, constraints

UV = Path(sys.executable).parent / "uv"


def resolved(*extras: str) -> dict[str, str]:
    """The version of every package that an installation with these extras would have."""
    command = [str(UV), "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    command += [f"--extra={extra}" for extra in extras]
    command += ["--constraint", str(DOCKER / "constraints.txt"), str(ROOT / "pyproject.toml")]
    command += ["--python-version", "3.11", "--system-certs"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ)
    assert done.returncode == 0, done.stderr
    lines = [line.split(";")[0].strip() for line in done.stdout.splitlines()]
    pairs = [line.split("==") for line in lines if "==" in line]
    return {name.split("[")[0]: version for name, version in pairs}


@pytest.mark.parametrize("extra", sorted(PROJECT["optional-dependencies"]))
def test_each_extra_resolves_with_the_pins(extra: str) -> None:
    """Whoever installs one finds a way."""
    assert resolved(extra)


def test_all_extras_resolve_together_to_what_was_tested() -> None:
    """Of what the constraints name, no other version."""
    held = constraints()
    found = resolved(*PROJECT["optional-dependencies"])
    assert {name: found[name] for name in held.keys() & found.keys()} == {
        name: held[name] for name in held.keys() & found.keys()
    }
    assert {"vllm", "torch", "apache-airflow", "pymilvus"} <= held.keys() & found.keys()
