"""The scripts of docker/, run for real: what they refuse, in which words, and what they pass on."""

import base64
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.conftest import DOCKER, ROOT, values_of
from tests.docker.test_dockerfile import tool
from tests.patience import PATIENCE

SCRIPTS = sorted(DOCKER.rglob("*.sh"))
BARE = {"PATH": os.environ["PATH"], "MMSEARCH_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A script in a bare environment."""
    command = ["bash", str(DOCKER / script), *arguments]
    return subprocess.run(
        command,
        env=BARE | environment,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=PATIENCE,
    )


def test_shellcheck_finds_nothing() -> None:
    """In any script of docker/."""
    done = subprocess.run(
        [tool("shellcheck"), *SCRIPTS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_stops_at_the_first_error(script: Path) -> None:
    """And can be run by its name."""
    text = script.read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text
    assert script.stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        ([], {}, "got no command"),
        (["true"], {"MMSEARCH_PYTHON": "/no/python"}, "MMSEARCH_PYTHON is '/no/python'"),
        (["true"], {"MMSEARCH_SHARDS__SIZE": "-1"}, "MMSEARCH_SHARDS__SIZE"),
        (["true"], {"MMSEARCH_CONFIG": "/no/such.toml"}, "MMSEARCH_CONFIG names /no/such.toml"),
        (
            ["true"],
            {"MMSEARCH_MODELS__DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": ""},
            "no GPU is to be seen",
        ),
    ],
)
def test_a_worker_that_cannot_work_says_why(
    arguments: list[str], environment: dict[str, str], says: str
) -> None:
    """One sentence, and the exit code of `a person has to act`."""
    done = run("entrypoint.sh", *arguments, **environment)
    assert done.returncode == 78
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_the_entrypoint_becomes_the_command(tmp_path: Path) -> None:
    """Same process, arguments untouched, signals to it."""
    code = "import os,sys,time; print(os.getpid(), sys.argv[1], flush=True); time.sleep(60)"
    command = ["bash", str(DOCKER / "entrypoint.sh"), sys.executable, "-c", code, "two words"]
    with subprocess.Popen(
        command, env=BARE, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == f"{process.pid} two words"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=PATIENCE) == -signal.SIGTERM
        finally:
            process.kill()


def test_make_env_fills_every_secret(tmp_path: Path) -> None:
    """Strong, different from each other and from the last time, for their owner's eyes only."""
    example = values_of(DOCKER / ".env.example")
    blanks = {name for name, value in example.items() if not value}
    files = [tmp_path / "one", tmp_path / "two"]
    assert [run("make_env.sh", str(path)).returncode for path in files] == [0, 0]
    made = [values_of(path) for path in files]
    secrets = [values[name] for values in made for name in blanks]
    assert len(set(secrets)) == 2 * len(blanks)
    assert all(len(secret) >= 44 for secret in secrets)
    assert all(
        values[name].isalnum() for values in made for name in blanks - {"AIRFLOW_FERNET_KEY"}
    )
    assert len(base64.urlsafe_b64decode(made[0]["AIRFLOW_FERNET_KEY"])) == 32
    assert {name: made[0][name] for name in set(example) - blanks} == {
        n: example[n] for n in set(example) - blanks
    }
    assert files[0].stat().st_mode & 0o777 == 0o600


def test_make_env_overwrites_nothing(tmp_path: Path) -> None:
    """A database that knows the old password would never open again."""
    (tmp_path / ".env").write_text("A=1\n")
    done = run("make_env.sh", str(tmp_path / ".env"))
    assert done.returncode == 1
    assert "move it away" in done.stderr
    assert (tmp_path / ".env").read_text() == "A=1\n"


@pytest.mark.parametrize(
    ("pools", "environment", "says"),
    [
        ("/no/pools.json", {}, "no file of pools at '/no/pools.json'"),
        ("pools.json", {"AIRFLOW_ADMIN_USER": "admin"}, "AIRFLOW_ADMIN_PASSWORD is empty"),
    ],
)
def test_init_refuses_before_it_touches_the_database(
    pools: str, environment: dict[str, str], says: str
) -> None:
    """One sentence, 78."""
    done = run("init.sh", str(DOCKER / pools), **environment)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (78, 1)
    assert says in done.stderr


@pytest.mark.scheduler
def test_init_prepares_a_real_airflow_twice(tmp_path: Path) -> None:
    """By the real Airflow, but for the user: users belong to the auth manager of the image, so that
    call is noted."""
    (tmp_path / "bin").mkdir()
    airflow = tmp_path / "bin/airflow"
    airflow.write_text(
        f'#!/usr/bin/env bash\n[ "$1" != users ] || {{ printf "%s\\n" "$*" >>"{tmp_path}/users";'
        f' exit 0; }}\nexec "{tool("airflow")}" "$@"\n'
    )
    airflow.chmod(0o755)
    environment = {
        "PATH": f"{airflow.parent}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_ADMIN_USER": "ada",
        "AIRFLOW_ADMIN_PASSWORD": "two words",
    }
    for _ in range(2):
        done = run("init.sh", str(DOCKER / "pools.json"), **environment)
        assert done.returncode == 0, done.stderr
    listed = subprocess.run(
        [str(airflow), "pools", "list", "--output", "plain"],
        env=BARE | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert {"gpu", "index"} <= {
        line.split()[0] for line in listed.stdout.splitlines() if line.strip()
    }
    (first, second) = (tmp_path / "users").read_text().splitlines()
    assert first == second
    assert first.startswith("users create --role Admin --username ada --password two words ")
