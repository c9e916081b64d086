"""docker/ as data: the compose files with their variables filled in, and the instructions of the
Dockerfile."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:[-?])((?:[^{}]|\$\{\w+\})*))?\}")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    words: tuple[str, ...]


def values_of(path: Path) -> dict[str, str]:
    """The variables of an env file."""
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def interpolated(text: str, values: dict[str, str]) -> str:
    """What compose makes of ${NAME}, ${NAME:-default} and ${NAME:?sentence}."""

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if name is None:
            return "$"
        if values.get(name):
            return values[name]
        if operator == ":-":
            return interpolated(rest, values)
        raise KeyError(f"{name} has no value")

    return VARIABLE.sub(value, text)


def parsed(name: str, values: dict[str, str]) -> dict[str, Any]:
    """A compose file as its services see it."""

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(child) for key, child in node.items()}
        if isinstance(node, list):
            return [filled(child) for child in node]
        return interpolated(node, values) if isinstance(node, str) else node

    found: dict[str, Any] = filled(yaml.safe_load((DOCKER / name).read_text()))
    return found


@pytest.fixture(scope="session")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What make_env.sh writes."""
    path = tmp_path_factory.mktemp("env") / ".env"
    subprocess.run(
        ["bash", DOCKER / "make_env.sh", path], check=True, env={"PATH": os.environ["PATH"]}
    )
    return values_of(path)


@pytest.fixture(scope="session")
def services(values: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The services of compose.yaml."""
    found: dict[str, dict[str, Any]] = parsed("compose.yaml", values)["services"]
    return found


@pytest.fixture(scope="session")
def gpu_services(values: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What compose.gpu.yaml adds."""
    found: dict[str, dict[str, Any]] = parsed("compose.gpu.yaml", values)["services"]
    return found


@pytest.fixture(scope="session")
def instructions() -> list[Instruction]:
    """The Dockerfile."""
    lines = [
        line
        for line in (DOCKER / "Dockerfile").read_text().splitlines()
        if not line.startswith("#")
    ]
    joined = "\n".join(lines).replace("\\\n", " ")
    words = [tuple(line.split()) for line in joined.splitlines() if line.strip()]
    return [Instruction(name=first, words=tuple(rest)) for first, *rest in words]
