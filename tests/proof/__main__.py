"""The soak: all proofs at full length, `make soak`; what was tried and what differed goes to
build/soak.json.

`python -m tests.proof [NAME …] [--scale 0.1]` runs some, or less."""

import argparse
import json
import logging
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import Servers
from tests.line import INDEX
from tests.proof.histories import History
from tests.proof.test_histories import on_real_parts
from tests.proof.test_kills import die_everywhere
from tests.proof.test_processes import a_line, kill_many, run_twice, stop_many, without_server
from tests.proof.test_sleeps import everything_back, newer_things, nothing_more, sleep_everywhere
from tests.servers import running

REPORT = Path(__file__).parents[2] / "build/soak.json"
Proof = Callable[[], int]


def proofs(servers: Servers, folder: Path, scale: float) -> dict[str, Proof]:
    """By name; each answers how often it tried, and raises AssertionError for the first
    difference."""

    def often(number: int) -> int:
        return max(1, round(number * scale))

    def on_a_line(work: Callable[..., object], *more: object) -> None:
        with a_line(servers, folder, random.randrange(2**32)) as line:
            work(line, *more)

    def nights(number: int, work: Callable[..., object], *more: object) -> int:
        for _ in range(often(number)):
            on_a_line(work, *more)
        return often(number)

    def kills() -> int:
        on_a_line(kill_many, often(200))
        return often(200)

    def stops() -> int:
        on_a_line(stop_many, often(20))
        return often(20)

    def sleeps() -> int:
        cases = (nothing_more, newer_things, everything_back)
        return sum(sleep_everywhere(case, INDEX, (False, True))[0] for case in cases)

    return {
        "histories on fakes": lambda: histories(History, often(1000), 40),
        "histories on the real parts": lambda: histories(
            on_real_parts(servers, folder), often(100), 20
        ),
        "deaths at every call": lambda: sum(die_everywhere().values()),
        "sleeps at every call": sleeps,
        "kill -9 of processes": kills,
        "kill -9 of the store": lambda: nights(5, without_server, servers, "store"),
        "kill -9 of the index": lambda: nights(5, without_server, servers, "index"),
        "two processes on every shard": lambda: nights(10, run_twice),
        "stopped processes that go on": stops,
    }


def histories(kind: type[History], number: int, steps: int) -> int:
    """Other ones each time; the seed is said, so that they can be had again."""
    chosen = random.randrange(2**32)
    print(f"  seed {chosen}", flush=True)
    quiet = settings(
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    length = settings(quiet, max_examples=number, stateful_step_count=steps)
    run_state_machine_as_test(seed(chosen)(kind), settings=length)
    return number


def main() -> None:
    """Run the chosen proofs, all of them, and fail at the end if one differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the proofs' names; all if none is given")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="how long, compared with the full length"
    )
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("pymilvus").setLevel(logging.ERROR)
    outcomes = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as here:
        servers = Servers(state=Path(folder), settings=here)
        for name, proof in proofs(servers, Path(folder), asked.scale).items():
            if asked.names and not any(part in name for part in asked.names):
                continue
            outcomes.append(outcome(name, proof))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(outcomes, indent=1))
    sys.exit(1 if any(found["differences"] for found in outcomes) else 0)


def outcome(name: str, proof: Proof) -> dict[str, object]:
    """What came of one proof; it stops at its first difference."""
    began, differences, tried = time.monotonic(), [], 0
    try:
        tried = proof()
    except Exception:
        differences = [traceback.format_exc()]
    found = {
        "name": name,
        "tried": tried,
        "differences": differences,
        "seconds": round(time.monotonic() - began),
    }
    print({**found, "differences": len(differences)}, *differences, flush=True)
    return found


if __name__ == "__main__":
    main()
