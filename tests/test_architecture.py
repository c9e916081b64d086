"""The architecture is a test: layers, ports and fakes, one word one thing, nothing at import."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mmsearch_core import errors
from mmsearch_core.prompts import load
from mmsearch_core.records.line import INDEX, SEARCH, names

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for folder in ("mmsearch_core", "tasks", "dags", "plugins", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
SHARD_STAGES = {*names(INDEX), *names(SEARCH)}
BATCH_STAGES = {
    "compare",
    "drain",
    "plan",
    "close",
    "await_index",
    "mine",
    "gates",
    "publish",
    "evaluate",
}
# backfill, housekeeping, results
OF_PEOPLE = {
    "estimate",
    "select",
    "expire",
    "sweep",
    "redrive",
    "rollback",
}
STAGES = SHARD_STAGES | BATCH_STAGES | OF_PEOPLE
FAKES = {
    "ObjectStore": "MemoryStore",
    "Memo": "MemoryMemo",
    "Decoder": "FakeDecoder",
    "TableReader": "FakeTableReader",
    "VisionLanguageModel": "FakeVisionLanguageModel",
    "Embedder": "FakeEmbedder",
    **dict.fromkeys(
        ("Collections", "Rows", "NearestRows", "MatchingText", "VectorIndex"), "MemoryIndex"
    ),
    **dict.fromkeys(
        ("Targets", "Assets", "Products", "Batches", "Leases", "Ledger"), "MemoryLedger"
    ),
    "ChangeFeed": "MemoryFeed",
}


def test_every_port_has_a_fake_and_a_contract() -> None:
    """A port without a fake cannot be used in a fast test; without a contract the fake may lie."""
    protocols = set()
    for path in (ROOT / "mmsearch_core/ports").glob("[!_]*.py"):
        module = importlib.import_module(f"mmsearch_core.ports.{path.stem}")
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and getattr(kind, "_is_protocol", False):
                protocols.add(name)
    assert protocols == set(FAKES)
    shipped = "\n".join(path.read_text() for path in (ROOT / "mmsearch_core/testing").glob("*.py"))
    contracts = "\n".join(path.read_text() for path in (ROOT / "tests/contracts").glob("test_*.py"))
    for fake in FAKES.values():
        assert f"class {fake}" in shipped
        assert fake in contracts


def test_one_word_names_a_stage_everywhere() -> None:
    """The stage ``describe`` is stages/describe.py, tasks/describe.py and the task id
    ``describe``."""
    assert {path.stem for path in (ROOT / "tasks").glob("[!_]*.py")} == STAGES
    stages = {path.stem for path in (ROOT / "mmsearch_core/stages").rglob("[!_]*.py")}
    assert stages - STAGES == {
        "audit",
        "commit",
        "fetch",
        "gate_measures",
        "housekeeping",
        "judged_queries",
        "pair_scores",
        "popular",
        "result_lists",
        "search_page",
        "switch",
        "tune",
    }
    assert stages >= STAGES


@pytest.mark.parametrize("name", ["describe", "standardize", "judge"])
def test_a_prompt_belongs_to_a_stage_and_bounds_its_answer(name: str) -> None:
    """A weak model under an unbounded schema can fill its budget with white space."""
    prompt = load(name)
    assert name in STAGES
    assert (prompt.answer is None) != (prompt.labels is None)
    unbounded = [place for place in _schemas(prompt.answer or {}) if not _bounded(place)]
    assert unbounded == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_say_what_they_are(path: Path) -> None:
    """A first sentence unless the file is empty."""
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_functions_are_short() -> None:
    """No function of ours is over 80 lines."""
    long = [
        f"{path.name}:{node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno > 80
    ]
    assert long == []


def test_the_core_loads_no_heavy_library() -> None:
    """Importing everything that a command imports takes neither torch nor pymilvus nor boto3 nor
    Airflow."""
    heavy = {"torch", "transformers", "open_clip", "sentence_transformers"}
    heavy |= {"pymilvus", "boto3", "airflow", "duckdb"}
    code = (
        "import sys, tasks._command, mmsearch_core.cli; "
        f"print(sorted({sorted(heavy)} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_a_command_loads_what_it_needs() -> None:
    """`mmsearch results` and `mmsearch add` start in the time that the S3 client takes."""
    heavy = {"numpy", "pyarrow", "sqlalchemy", "structlog", "rich", "jinja2", "boto3"}
    code = (
        "import sys, mmsearch_core.cli.find, mmsearch_core.cli.catalog; "
        f"print(sorted({sorted(heavy)} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_every_error_is_in_the_drawn_tree() -> None:
    """The docstring of errors.py is the map; each error says by its base what the caller should
    do."""
    ours = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert all(name in (errors.__doc__ or "") for name in ours)
    bases = (errors.BadRecord, errors.TryLater, errors.StopEverything, errors.PreconditionFailed)
    assert all(issubclass(kind, bases) for name, kind in ours.items() if name != "MMSearchError")


def test_there_is_no_drawer() -> None:
    """No utils, helpers, common or manager."""
    drawers = {"utils", "util", "helpers", "common", "manager", "misc"}
    assert [
        path for path in SOURCES if drawers & set(path.relative_to(ROOT).with_suffix("").parts)
    ] == []


def test_parts_are_given_to_constructors() -> None:
    """Whoever writes into ``vars()`` of an object knows what is inside of it."""
    written = re.compile(r"\bvars\([^()]*(\([^()]*\))?\)(\[[^]]*\] =|\.update|\.pop|\.setdefault)")
    assert [path.name for path in SOURCES if written.search(path.read_text())] == []


def test_the_top_level_is_the_customers() -> None:
    """Fixed by the customer."""
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    top = {line.split("/")[0] for line in tracked.splitlines()}
    named = {"dags", "tasks", "mmsearch_core", "plugins", "tests", "docker", "pyproject.toml"}
    named |= {
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
    }
    assert {name for name in top if not name.startswith(".")} <= named


def test_every_lint_exception_has_a_reason() -> None:
    """An ignore without a reason is a rule that nobody owns."""
    tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("ignore = ["))
    end = next(number for number in range(start, len(lines)) if lines[number] == "]")
    assert all("#" in line for line in lines[start + 1 : end])


def _schemas(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = [value for value in (schema.get("properties") or {}).values()]
    inner += [schema["items"]] if "items" in schema else []
    return [schema, *(found for value in inner for found in _schemas(value))] if schema else []


def _bounded(schema: Mapping[str, Any]) -> bool:
    needed = {"string": "maxLength", "array": "maxItems", "object": "additionalProperties"}.get(
        str(schema.get("type"))
    )
    return needed is None or needed in schema


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# what a statement holds that is a statement of its own, or holds some
INNER = (ast.stmt, ast.excepthandler, ast.match_case)


def comprehensions_in(statement: ast.AST) -> int:
    """How many comprehensions a statement has, without those of the statements in it."""
    found = 0
    for part in ast.iter_child_nodes(statement):
        if not isinstance(part, INNER):
            found += isinstance(part, COMPREHENSIONS) + comprehensions_in(part)
    return found


OURS = [path for path in SOURCES if not {"tests", "demo"} & set(path.relative_to(ROOT).parts)]


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_statement_has_one_comprehension_at_most(path: Path) -> None:
    """A thought a line."""
    tree = ast.parse(path.read_text())
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    crowded = [node.lineno for node in statements if comprehensions_in(node) > 1]
    assert crowded == []
