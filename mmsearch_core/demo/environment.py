"""Where the stack's parts find each other: ports, secrets and the variables made of them."""

import base64
import json
import os
import secrets as random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmsearch_core.demo.processes import HOST, PartFailed, running

ROOT = Path(__file__).parents[2]
PART_OF = {
    "s3": "store",
    "milvus": "index",
    "airflow": "airflow-api",
    "queue": "queue",
    "relay": "relay",
}


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that people see."""

    s3: int = 8333
    milvus: int = 19530
    airflow: int = 8080
    queue: int = 9324
    relay: int = 9325


def ports(state: Path) -> Ports:
    """The ports of what runs; else those that `MMSEARCH_DEMO_…_PORT` ask for; else the usual
    ones."""
    noted = _noted(state / "ports.json")
    found = {name: _wanted(name, usual) for name, usual in asdict(Ports()).items()}
    return Ports(
        **found | {name: port for name, port in noted.items() if running(state, PART_OF[name])}
    )


def secrets(state: Path) -> dict[str, str]:
    """Keys and passwords of this stack, made once."""
    path = state / "secrets.json"
    if not path.exists():
        made = {
            "s3_access_key": random.token_hex(10),
            "s3_secret_key": random.token_hex(20),
            "airflow_password": random.token_urlsafe(12),
            "jwt_secret": random.token_urlsafe(48),
            "session_secret": random.token_urlsafe(32),
            "fernet_key": base64.urlsafe_b64encode(random.token_bytes(32)).decode(),
        }
        state.mkdir(parents=True, exist_ok=True)
        _write_private(path, json.dumps(made, indent=1))
    found: dict[str, str] = json.loads(path.read_text())
    return found


def environment(state: Path) -> dict[str, str]:
    """The variables of mmsearch and of Airflow that belong to this stack."""
    return {**settings_environment(state), **airflow_settings(state.absolute())}


def settings_environment(state: Path) -> dict[str, str]:
    """The variables of mmsearch; no proxy of this machine's network stands between the parts."""
    state = state.absolute()
    settings = {
        f"MMSEARCH_{section}__{name}".upper(): value
        for section, values in mmsearch_settings(state).items()
        for name, value in values.items()
    }
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY"), os.environ.get("no_proxy"), HOST]))
    # small models on a busy laptop: threads of several processes that wait for each other cost ten
    # times what they save
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    config = {
        "MMSEARCH_CONFIG": str(state / "mmsearch.toml"),
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
    return {**settings, **config, **threads}


def mmsearch_settings(state: Path) -> dict[str, dict[str, str]]:
    """The sections of mmsearch's settings that this stack decides."""
    used, keys = ports(state), secrets(state)
    return {
        "store": {
            "endpoint": f"http://{HOST}:{used.s3}",
            "access_key": keys["s3_access_key"],
            "secret_key": keys["s3_secret_key"],
        },
        "catalog": {"bucket": "catalog"},
        # the small Qwen3-VL was taught with so many
        "decode": {"frames_per_second": "4"},
        "queue": {
            "url": queue_url(used.queue),
            "access_key": "demo",
            "secret_key": "demo",
        },  # moto asks nobody
        "query_log": {"bucket": "catalog"},
        "work": {"bucket": "mmsearch"},
        "index": {"uri": f"http://{HOST}:{used.milvus}"},
        "ledger": {"url": f"sqlite:///{state / 'ledger.db'}"},
    }


def airflow_settings(state: Path) -> dict[str, str]:
    """A small Airflow: SQLite, four processes for tasks, one for the API."""
    home, keys = state / "airflow", secrets(state)
    address = f"http://{HOST}:{ports(state).airflow}"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet_key"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(ports(state).airflow),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys["session_secret"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt_secret"],
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }


def queue_url(port: int) -> str:
    """The address of the queue of changes; the account is the one that moto gives everybody."""
    return f"http://{HOST}:{port}/123456789012/catalog-changes"


def prepare(state: Path) -> None:
    """Write down what the parts and the command line read: ports, the settings file, Airflow's
    password."""
    (state / "airflow").mkdir(parents=True, exist_ok=True)
    (state / "ports.json").write_text(json.dumps(asdict(ports(state))))
    _write_private(
        state / "airflow/passwords.json", json.dumps({"admin": secrets(state)["airflow_password"]})
    )
    sections = [_section(name, values) for name, values in mmsearch_settings(state).items()]
    note = "# written by mmsearch_core.demo.stack: the settings of the demo that runs here\n"
    _write_private(state / "mmsearch.toml", note + "\n".join(sections))


def _section(name: str, values: Mapping[str, str]) -> str:
    """A table of a TOML file."""
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
    return "".join([f"[{name}]\n", *lines])


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    path.touch(mode=0o600)
    path.write_text(text)


def _wanted(name: str, usual: int) -> int:
    variable = f"MMSEARCH_DEMO_{name.upper()}_PORT"
    text = os.environ.get(variable) or str(usual)
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise PartFailed(f"{variable} is {text!r}: set it to a port between 1 and 65535.")
    return int(text)


def _noted(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found
