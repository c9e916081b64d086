"""The Dockerfile without a builder: linted, and what it copies is there and reaches the builder."""

import json
import subprocess
import sys
from pathlib import Path

import pathspec
import pytest

from tests.docker.conftest import DOCKER, ROOT, Instruction


def tool(name: str) -> str:
    """A program that pip put beside this Python."""
    return str(Path(sys.executable).with_name(name))


def copied(instructions: list[Instruction]) -> list[str]:
    """What is copied from the repository."""
    copies = [
        line.words for line in instructions if line.name == "COPY" and "--from" not in line.words[0]
    ]
    return [word for words in copies for word in words[:-1] if not word.startswith("--")]


def tracked() -> list[str]:
    """The repository's files."""
    done = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.splitlines()


def sent(paths: list[str]) -> set[str]:
    """Those that .dockerignore lets through; git's pattern for a folder covers what is in it, as
    Docker's does."""
    lines = [
        f"/{line}" if not line.startswith(("*", "!")) else line.replace("!", "!/")
        for line in ignored()
    ]
    lines[0] = "/**"
    spec = pathspec.GitIgnoreSpec.from_lines(
        [line + "/**" if (ROOT / line[2:]).is_dir() else line for line in lines]
    )
    return {path for path in paths if not spec.match_file(path)}


def ignored() -> list[str]:
    """The patterns of .dockerignore."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_hadolint_finds_nothing() -> None:
    """No rule is switched off."""
    done = subprocess.run(
        [tool("hadolint"), DOCKER / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_what_is_copied_is_tracked_and_sent(instructions: list[Instruction]) -> None:
    """A file that .dockerignore holds back fails the build, and only there."""
    there = sent(tracked())
    for source in copied(instructions):
        assert any(path == source or path.startswith(f"{source}/") for path in there), source


def test_everything_the_package_needs_is_sent() -> None:
    """Weights, prompts and templates too; tests stay here."""
    there = sent(tracked())
    wanted = {
        path
        for path in tracked()
        if path.startswith(("mmsearch_core/", "tasks/", "dags/", "plugins/"))
    }
    assert wanted <= there
    assert not any(path.startswith("tests/") for path in there)


@pytest.mark.parametrize(
    "secret", ["docker/.env", ".env", ".demo/secrets.json", ".git/config", "dags/.env"]
)
def test_secrets_are_not_sent(secret: str) -> None:
    """What is not sent cannot end up in a layer."""
    assert sent([secret]) == set()


def test_no_secret_is_baked_in(instructions: list[Instruction]) -> None:
    """Settings come by environment when a container starts."""
    words = " ".join(
        word for line in instructions if line.name in {"ENV", "ARG"} for word in line.words
    )
    assert not any(part in words.upper() for part in ("PASSWORD", "SECRET", "TOKEN", "_KEY"))


def test_a_final_stage_is_not_root(instructions: list[Instruction]) -> None:
    """Every stage ends as Airflow's user; a number, so that a cluster can check it."""
    users: list[str] = []
    for line in instructions:
        if line.name == "FROM":
            assert not users or users[-1] == "50000:0"
        if line.name == "USER":
            users.append(line.words[0])
    assert users[-1] == "50000:0"


def test_processes_start_in_exec_form(instructions: list[Instruction]) -> None:
    """A shell in between would keep the signals."""
    starts = [line for line in instructions if line.name in {"ENTRYPOINT", "CMD"}]
    assert starts
    assert all(isinstance(json.loads(" ".join(line.words)), list) for line in starts)


def test_sources_come_after_the_environment(instructions: list[Instruction]) -> None:
    """A change of code must not build the environment of models again."""
    stages: dict[str, list[str]] = {}
    for line in instructions:
        if line.name == "FROM":
            stages[line.words[-1]] = []
        elif stages:
            stages[list(stages)[-1]].append(f"{line.name} {' '.join(line.words)}")
    for name in ("airflow", "worker"):
        environment = next(place for place, line in enumerate(stages[name]) if "--from=" in line)
        ours = [
            place
            for place, line in enumerate(stages[name])
            if line.startswith("COPY ") and "--from=" not in line
        ]
        assert environment < min(ours)
    assert not any("mmsearch_core mmsearch_core" in line for line in stages["core-environment"])
