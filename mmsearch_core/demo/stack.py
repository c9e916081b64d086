"""The embedded parts, for the demo and for tests: SeaweedFS, Milvus Lite and Airflow under one
folder.

`python -m mmsearch_core.demo.stack start|stop|status [FOLDER]`. Starting what runs is free,
stopping ends only what was started here, and whatever is in the way is said in one sentence.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path

import structlog

from mmsearch_core.demo import processes
from mmsearch_core.demo.airflow_api import Airflow
from mmsearch_core.demo.environment import ROOT, Ports, environment, ports, prepare, secrets
from mmsearch_core.demo.processes import HOST, Part, PartFailed, program, responds
from mmsearch_core.demo.queue import queue_part, relay_part, tell_the_relay
from mmsearch_core.errors import MMSearchError

FOLDER = ROOT / ".demo"
AIRFLOW_PARTS = ("airflow-api", "airflow-dags", "airflow-scheduler", "airflow-triggerer")
PARTS = ("queue", "relay", "store", "index", *AIRFLOW_PARTS)  # in the order of starting
LEAST_FREE = 2 * 1024**3
log = structlog.get_logger()


def start(state: Path = FOLDER) -> None:
    """Bring everything up and return when it works; PartFailed says in one sentence what is in the
    way."""
    state = state.absolute()
    check(state)
    own = inherited() | environment(state)
    end_parts_of_other_settings(state, own)
    if all(status(state).values()) and airflow(state).healthy():
        return
    prepare(state)
    used = ports(state)
    tell_the_relay(state, used)
    queue, relay = queue_part(used, own), relay_part(used, own)
    store, index = store_part(state, used, own), index_part(used, own)
    for part in (queue, store, index):
        begin(state, part)
    migrate(state, own)
    api, dags, *workers = airflow_parts(state, used, own)
    for part in (api, dags):
        begin(state, part)
    for part in (queue, store, index, api):  # a task that starts before the API answers fails
        processes.wait_until_ready(state, part)
    airflow(state).create_pools(json.loads((ROOT / "docker/pools.json").read_text()))
    for part in (relay, *workers):
        begin(state, part)
    for part in (relay, dags, *workers):
        processes.wait_until_ready(state, part)


def end_parts_of_other_settings(state: Path, own: Mapping[str, str]) -> None:
    """Tasks get their settings from the scheduler, the doorbell from the triggerer: if they began
    with others, they have to begin again."""
    mine = sorted(
        f"{name}={own[name]}"
        for name in own
        if name.startswith("MMSEARCH_") and "_DEMO_" not in name
    )
    digest, note = sha256("\n".join(mine).encode()).hexdigest(), state / "scheduler-settings"
    for part in ("airflow-scheduler", "airflow-triggerer"):
        if processes.running(state, part) and note.exists() and note.read_text() != digest:
            log.info("stack.restart", part=part, reason="the settings changed")
            processes.end(state, part)
    note.write_text(digest)


def stop(state: Path = FOLDER) -> None:
    """End all that runs under the folder, the last started first; data and logs stay."""
    for name in reversed(PARTS):
        if processes.running(state, name):
            log.info("stack.stop", part=name)
        processes.end(state, name)


def status(state: Path = FOLDER) -> dict[str, bool]:
    """Which parts run."""
    return {name: processes.running(state, name) is not None for name in PARTS}


def airflow(state: Path) -> Airflow:
    """A client of the stack's Airflow."""
    return Airflow(
        f"http://{HOST}:{ports(state).airflow}", "admin", secrets(state)["airflow_password"]
    )


def check(state: Path) -> None:
    """What has to be so before anything is started."""
    state.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(state).free) < LEAST_FREE:
        raise PartFailed(
            f"Only {free / 1024**3:.1f} GB are free under {state}: make room for at least 2 GB."
        )
    for name in ("dags", "plugins", "tasks"):
        if not (ROOT / name).is_dir():
            raise PartFailed(
                f"There is no {ROOT / name}: run the demo from a checkout of mmsearch."
            )
    for command in ("weed", "milvus-lite", "moto_server", "airflow"):
        if not program(command).exists():
            raise PartFailed(
                f"There is no {command} beside this Python: pip install 'mmsearch[airflow,demo]'."
            )


def begin(state: Path, part: Part) -> None:
    """Start a part if it does not run."""
    if processes.start(state, part):
        log.info("stack.start", part=part.name, port=part.port)


def store_part(state: Path, used: Ports, own: Mapping[str, str]) -> Part:
    """SeaweedFS, an S3 endpoint in one program. All its ports but one are its own affair."""
    keys = secrets(state)
    inner = ["s3.port.grpc"]
    inner += [
        f"{server}.port{kind}" for server in ("master", "volume", "filer") for kind in ("", ".grpc")
    ]
    flags = {
        "dir": "store",
        "ip": HOST,
        "ip.bind": HOST,
        "s3.port": used.s3,
        **dict(zip(inner, processes.free_ports(used.s3 + 1, len(inner)), strict=True)),
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": "s3.sock",
        "filer.localSocket": "filer.sock",
        "admin.port": processes.free_ports(used.s3 + 100, 1, also=10_000)[0],
        "admin.ui": "false",
        "webdav": "false",
        "master.telemetry": "false",
    }
    (state / "store").mkdir(exist_ok=True)
    return Part(
        name="store",
        command=[
            str(program("weed")),
            "-logdir=logs",
            "mini",
            *(f"-{flag}={value}" for flag, value in flags.items()),
        ],
        environment={
            **own,
            "AWS_ACCESS_KEY_ID": keys["s3_access_key"],
            "AWS_SECRET_ACCESS_KEY": keys["s3_secret_key"],
        },
        ready=partial(responds, f"http://{HOST}:{used.s3}/"),
        deadline=60,
        port=used.s3,
        port_variable="MMSEARCH_DEMO_S3_PORT",
    )


def index_part(used: Ports, own: Mapping[str, str]) -> Part:
    """Milvus Lite as a server, so that several processes share it."""
    return Part(
        name="index",
        command=[
            str(program("milvus-lite")),
            "server",
            "--data-dir=index",
            f"--host={HOST}",
            f"--port={used.milvus}",
        ],
        environment=own,
        ready=partial(processes.answers, used.milvus),
        deadline=90,
        port=used.milvus,
        port_variable="MMSEARCH_DEMO_MILVUS_PORT",
    )


def airflow_parts(
    state: Path, used: Ports, own: Mapping[str, str]
) -> tuple[Part, Part, Part, Part]:
    """Airflow's API server, DAG processor, scheduler, and the triggerer, which holds the doorbell
    of the queue."""
    client = airflow(state)

    def part(
        name: str, arguments: list[str], ready: Callable[[], bool], port: int | None = None
    ) -> Part:
        return Part(
            name=name,
            command=[str(program("airflow")), *arguments],
            environment=own,
            ready=ready,
            deadline=180,
            port=port,
            port_variable="MMSEARCH_DEMO_AIRFLOW_PORT",
        )

    return (
        part("airflow-api", ["api-server"], client.answers, used.airflow),
        part("airflow-dags", ["dag-processor"], partial(client.knows, dag_ids())),
        part("airflow-scheduler", ["scheduler", "--skip-serve-logs"], client.healthy),
        part("airflow-triggerer", ["triggerer", "--skip-serve-logs"], client.healthy),
    )


def migrate(state: Path, own: Mapping[str, str]) -> None:
    """Airflow's tables; a database that this Airflow made needs nothing."""
    done = state / "airflow/migrated"
    version = program("airflow").stat().st_mtime_ns
    if done.exists() and done.read_text() == str(version):
        return
    part = Part(
        name="airflow-migrate",
        command=[str(program("airflow")), "db", "migrate"],
        environment=own,
        ready=lambda: False,
        deadline=180,
    )
    begin(state, part)
    processes.wait_until_gone(state, part)
    done.write_text(str(version))


def dag_ids() -> set[str]:
    """The DAGs of the checkout; a file is named after its DAG."""
    return {path.stem for path in (ROOT / "dags").glob("*.py")}


def inherited() -> dict[str, str]:
    """This process's environment without settings of another Airflow."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}


def main() -> None:
    """The command line."""
    command, *folder = sys.argv[1:] or ["status"]
    state = Path(*folder).absolute() if folder else FOLDER
    try:
        if command == "start":
            start(state)
        elif command == "stop":
            stop(state)
        elif command != "status":
            sys.exit(f"{command} is not one of start, stop, status.")
    except MMSearchError as error:
        sys.exit(str(error))
    for name, runs in status(state).items():
        print(f"{name:18} {'running' if runs else 'stopped'}")


if __name__ == "__main__":
    main()
