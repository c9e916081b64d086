"""compose without Docker: valid, its settings real, its order sound, its secrets named and never
defaulted."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmsearch_core.settings import Settings, load_settings
from tests.docker.conftest import DOCKER, Instruction, interpolated, parsed, values_of
from tests.docker.test_dockerfile import tool

Services = dict[str, dict[str, Any]]
FILES = ["compose.yaml", "compose.gpu.yaml"]
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$|FERNET")
OURS = {"airflow-init", "api-server", "dag-processor", "triggerer", "scheduler"}


@pytest.mark.parametrize("name", FILES)
def test_the_schema_holds(name: str) -> None:
    """The Compose specification's own schema, which travels with the checker."""
    command = [
        tool("check-jsonschema"),
        "--builtin-schema",
        "vendor.compose-spec",
        str(DOCKER / name),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def settings_of(service: dict[str, Any]) -> dict[str, str]:
    """mmsearch's settings of a service; those without a value are given only where .env gives
    them."""
    found = service["environment"].items()
    return {
        name: value for name, value in found if name.startswith("MMSEARCH_") and value is not None
    }


@pytest.mark.parametrize("gpu", [False, True])
def test_every_setting_is_real_and_accepted(
    services: Services,
    gpu_services: Services,
    gpu: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    """A variable with a typing mistake is not an error to pydantic: it would be ignored."""
    given = settings_of(services["scheduler"]) | (
        settings_of(gpu_services["scheduler"]) if gpu else {}
    )
    for name in (
        name for name in services["scheduler"]["environment"] if name.startswith("MMSEARCH_")
    ):
        section, field = name.removeprefix("MMSEARCH_").lower().split("__")
        assert field in Settings.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
    monkeypatch.chdir(tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    loaded = load_settings()
    for name, value in given.items():
        section, field = name.removeprefix("MMSEARCH_").lower().split("__")
        found = getattr(getattr(loaded, section), field)
        assert (found.get_secret_value() if hasattr(found, "get_secret_value") else found) == value
    assert loaded.models.device == ("cuda" if gpu else "cpu")


def test_every_option_of_airflow_is_real(
    services: Services, instructions: list[Instruction]
) -> None:
    """Airflow too takes a variable with a typing mistake for nothing."""
    spec = find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    known = yaml.safe_load((Path(spec.origin).parent / "config_templates/config.yml").read_text())
    given = {name for service in services.values() for name in service.get("environment", ())}
    given |= {
        word.partition("=")[0] for line in instructions if line.name == "ENV" for word in line.words
    }
    options = [name.split("__")[1:] for name in given if name.startswith("AIRFLOW__")]
    assert len(options) > 10
    unknown = [
        f"{section}.{option}"
        for section, option in options
        if option.lower() not in known[section.lower()]["options"]
    ]
    assert unknown == []


def test_models_have_their_own_defaults(services: Services) -> None:
    """An empty variable would win over the default of settings.py."""
    empty = [name for name, value in services["scheduler"]["environment"].items() if value == ""]
    assert empty == []


@pytest.mark.parametrize("name", FILES)
def test_a_missing_secret_is_an_error(name: str) -> None:
    """Compose stops and says what to run; no password has a default."""
    text = (DOCKER / name).read_text()
    asked = {
        found[1]: found[2]
        for found in re.finditer(r"\$\{(\w+)(:[-?])?", text)
        if SECRET.search(found[1])
    }
    assert asked
    example = values_of(DOCKER / ".env.example")
    for variable in set(asked) - {"MMSEARCH_STORE__ACCESS_KEY", "MMSEARCH_STORE__SECRET_KEY"}:
        assert example[variable] == "", f"{variable} is no blank in .env.example"
    with pytest.raises(KeyError):
        parsed(name, {})


def test_every_variable_is_in_the_example() -> None:
    """What cannot be found cannot be set."""
    text = "".join((DOCKER / name).read_text() for name in FILES)
    example = (DOCKER / ".env.example").read_text()
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", text)) | set(
        re.findall(r"^ +([A-Z_0-9]+):$", text, re.MULTILINE)
    )
    assert {name for name in asked if not re.search(rf"^#?{name}=", example, re.MULTILINE)} == set()


def test_the_example_says_the_defaults_that_hold() -> None:
    """A comment that lies is worse than none."""
    text = "".join((DOCKER / name).read_text() for name in FILES)
    example = dict(
        re.findall(r"^#([A-Z_0-9]+)=(\S+)$", (DOCKER / ".env.example").read_text(), re.MULTILINE)
    )
    defaults = dict(re.findall(r"\$\{(\w+):-([^${}]+)\}", text))
    ours = {name: value for name, value in defaults.items() if not name.startswith("MMSEARCH_")}
    assert {name: example.get(name) for name in ours} == ours


def test_only_the_worker_gets_the_keys_of_the_buckets(services: Services) -> None:
    """Neither the page nor the code of a DAG needs them."""
    given = {
        name: {key for key in services[name]["environment"] if key.startswith("MMSEARCH_")}
        for name in OURS
    }
    assert {name for name, keys in given.items() if keys} == {"scheduler", "triggerer"}
    assert all(key.startswith("MMSEARCH_QUEUE__") for key in given["triggerer"])


def test_the_parts_of_airflow_agree(services: Services) -> None:
    """One database, one set of keys; a token signed by one is read by another."""
    shared = [
        {
            key: value
            for key, value in services[name]["environment"].items()
            if key.startswith("AIRFLOW__")
        }
        for name in OURS
    ]
    assert all(settings == shared[0] for settings in shared)
    assert shared[0]["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].startswith("http://api-server:")


def test_what_is_waited_for_can_be_waited_for(services: Services) -> None:
    """`healthy` needs a check, here or in the image; `completed` needs a service that ends."""
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            needed = services[name]
            if how["condition"] == "service_healthy":
                assert needed["healthcheck"]["test"]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert needed["restart"] == "no"
    assert services["scheduler"]["depends_on"]["api-server"]["condition"] == "service_healthy"


def test_what_stands_is_watched_restarted_and_bounded(
    services: Services, gpu_services: Services
) -> None:
    """The worker's check is in its image."""
    for name, service in {**services, "vllm": gpu_services["vllm"]}.items():
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"]), name
        if name in {"airflow-init", "mmsearch"}:
            continue
        assert service["restart"] == "unless-stopped"
        assert "healthcheck" in service or name == "scheduler"
        assert service["logging"]["options"]["max-size"]


def test_ports_are_this_machines_only(services: Services, gpu_services: Services) -> None:
    """A published port passes by the firewall of most hosts."""
    published = [
        port
        for stack in (services, gpu_services)
        for service in stack.values()
        for port in service.get("ports", ())
    ]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_mounts_are_there(
    services: Services, gpu_services: Services, values: dict[str, str]
) -> None:
    """A file that is missing is mounted as an empty folder; a volume that is not declared is an
    error."""
    volumes = {name for file in FILES for name in parsed(file, values).get("volumes", {})}
    for stack in (services, gpu_services):
        for service in stack.values():
            for source in (mount.split(":")[0] for mount in service.get("volumes", ())):
                assert (
                    (DOCKER / source).is_file() if source.startswith(".") else source in volumes
                ), source


def test_the_gpu_is_reserved_for_what_runs_models(gpu_services: Services) -> None:
    """As compose wants it: a count, and the capability, without which the reservation is
    refused."""
    for name, service in gpu_services.items():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}, name


def test_interpolation_is_compose_s() -> None:
    """The three forms that are used here."""
    values = {"A": "1", "EMPTY": ""}
    assert interpolated("${A}-${EMPTY:-${A}}-${B:-c}-$${D}", values) == "1-1-c-${D}"
    with pytest.raises(KeyError):
        interpolated("${B:?say}", values)
