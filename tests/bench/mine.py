"""A night's query log of ten million lines, mined in a process of its own whose time and peak
memory are measured."""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.settings import QueryLog
from tests.bench.row import Row, peak_memory_mb

LINES, DAYS = 10_000_000, 40
POPULAR = 10_000
LAST_DAY = datetime(2026, 11, 20, tzinfo=UTC)
COLORS = ["red", "blue", "green", "black", "white", "yellow", "purple", "grey", "brown", "pink"]
THINGS = [
    "dress",
    "shirt",
    "skirt",
    "coat",
    "bag",
    "boots",
    "sneakers",
    "sandals",
    "trousers",
    "hat",
    "scarf",
]


def mine_10m(lines: int = LINES) -> list[Row]:
    """Lines per second of the first night, which reads the whole log, beside the bare count of the
    same lines by DuckDB; and of the next night, which reads the sums."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), lines)
        first, again, bare = (_measured(part, folder) for part in ("mine", "mine", "bare"))
    return [
        Row(
            name=name,
            ours=round(lines / ours["seconds"]),
            reference=round(lines / bare["seconds"]),
            ratio=round(bare["seconds"] / ours["seconds"], 3),
            unit="lines/s",
            work=(
                f"{lines} lines, {ours['queries']} of {POPULAR} queries: {ours['seconds']} s, "
                f"{ours['cpu_seconds']} s of a core"
            ),
            peak_memory_mb=ours["peak_memory_mb"],
        )
        for name, ours in (("mine_10m", first), ("mine_10m, the next night", again))
    ]


class DiskStore:
    """A bucket that is a folder, for objects that memory should not hold."""

    def __init__(self, folder: Path) -> None:
        self.bucket, self._folder = folder.name, folder
        folder.mkdir(exist_ok=True)

    def list(self, prefix: str = "") -> Iterator[ObjectRef]:
        for file in self._folder.rglob("*"):
            key = file.relative_to(self._folder).as_posix()
            if file.is_file() and key.startswith(prefix):
                changed = datetime.fromtimestamp(file.stat().st_mtime, UTC)
                size = file.stat().st_size
                yield ObjectRef(
                    bucket=self.bucket, key=key, etag=str(size), size=size, last_modified=changed
                )

    def head(self, key: str) -> ObjectRef | None:
        return next((found for found in self.list(key) if found.key == key), None)

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        return (self._folder / key).read_bytes()

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        file = self._folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return sha256(data).hexdigest()

    def delete(self, key: str) -> None:
        (self._folder / key).unlink(missing_ok=True)


def fill(folder: Path, lines: int) -> None:
    """A log object a day: a few queries are frequent, most are rare, and one in twenty lines is
    mistyped."""
    (folder / "logs/queries").mkdir(parents=True)
    rng = random.Random(0)
    texts = [
        f"{rng.choice(COLORS)} {rng.choice(THINGS)} {number:x}"
        for number in range(max(1_000, lines // 50))
    ]
    for day in range(DAYS):
        moment = LAST_DAY - timedelta(days=day)
        with (folder / f"logs/queries/{moment:%Y-%m-%d}.jsonl").open("w") as file:
            file.writelines(_line(rng, moment, texts, lines) for _ in range(lines // DAYS))


def _line(rng: random.Random, day: datetime, texts: list[str], lines: int) -> str:
    text = texts[int(len(texts) ** rng.random()) - 1]  # Zipf's law
    if rng.random() < 0.05:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice("aeiourst") + text[place:]
    second, person = int(86_400 * rng.random()), int(lines / 20 * rng.random())
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    said = f'"session":"s{person}","locale":"en","query":"{text}"'
    return f'{{"time":"{day:%Y-%m-%d}T{clock}Z",{said}}}\n'


def _measured(part: str, folder: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.mine", part, folder], stdout=subprocess.PIPE, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _mine(folder: Path) -> None:
    from mmsearch_core.stages.search.mine import mined

    started = time.perf_counter()
    settings = QueryLog(popular=POPULAR)
    logs, work = cast(tuple[Any, Any], (DiskStore(folder / "logs"), DiskStore(folder / "work")))
    found = mined(logs, work, settings, now=datetime.now(UTC))
    _say(started, len(found.queries))


def _bare(folder: Path) -> None:
    """What nobody can do without: the lines parsed, and sessions counted per query, in whatever
    memory that takes."""
    import duckdb

    started = time.perf_counter()
    with duckdb.connect(folder / "bare.duckdb", config={"threads": 2}) as database:
        read = f"read_json('{folder}/logs/queries/*.jsonl', format='newline_delimited')"
        once = f"SELECT DISTINCT session, query FROM {read}"
        people = f"SELECT query, count(*) AS people FROM ({once}) GROUP BY query"
        found = database.execute(f"{people} ORDER BY people DESC LIMIT {POPULAR}").fetchall()
    _say(started, len(found))


def _say(started: float, queries: int) -> None:
    measured = {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(time.process_time(), 1),
    }
    print(json.dumps({**measured, "peak_memory_mb": peak_memory_mb(), "queries": queries}))


if __name__ == "__main__":
    {"mine": _mine, "bare": _bare}[sys.argv[1]](Path(sys.argv[2]))
