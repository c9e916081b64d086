"""Judged queries against a real index: SeaweedFS, Milvus Lite, SQLite, and the models that travel
with mmsearch."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.cli.app import app
from mmsearch_core.demo.catalog import write_sample
from mmsearch_core.settings import Settings
from mmsearch_core.wiring.batches import Runtime
from tasks import evaluate
from tests.conftest import Servers
from tests.line import commands_see, index

pytestmark = pytest.mark.integration
EACH = 3  # queries a kind


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sample, of whose judged queries some of every kind are left."""
    sample = tmp_path_factory.mktemp("sample")
    write_sample(sample, products=24)
    queries = sample / "judged/queries.jsonl"
    of_kind: dict[str, list[str]] = {}
    for line in queries.read_text().splitlines():
        of_kind.setdefault(json.loads(line)["kind"], []).append(line)
    queries.write_text("\n".join(line for lines in of_kind.values() for line in lines[:EACH]))
    return sample / "judged"


@pytest.fixture(scope="module")
def shop(servers: Servers, judged: Path) -> Runtime:
    """Its catalog, indexed, in buckets of its own."""
    sections = servers.settings.model_dump()
    sections["search"] |= {"candidates": 12}
    sections["catalog"] |= {"bucket": "judged-catalog"}
    sections["work"] |= {"bucket": "judged-work"}
    sections["index"] |= {"alias": "judged"}
    sections["ledger"] |= {"url": f"sqlite:///{servers.state / 'judged.db'}"}
    runtime = Runtime(Settings.model_validate(sections))
    for store in (runtime.catalog, runtime.work):
        assert isinstance(store, S3Store)
        store.create()
    catalog = judged.parent / "catalog"
    for path in sorted(catalog.rglob("*")):
        if path.is_file():
            runtime.catalog.put(path.relative_to(catalog).as_posix(), path.read_bytes())
    index(runtime)
    return runtime


def test_figures_of_the_live_line(shop: Runtime, judged: Path) -> None:
    """Every leg and their fusion find more than chance, and every kind of query has its lines."""
    report = evaluate.work(shop, str(judged))
    figures = {(row.group, row.row): row.means["ndcg@10"] for row in report.rows}
    everything = {row: figure for (group, row), figure in figures.items() if group == "all"}
    assert report.queries + len(report.left_out) == 6 * EACH
    assert everything["oracle"] == 1
    assert all(
        everything[row] > everything["random"] + 0.1 for row in ("clip", "sbert", "bm25", "fused")
    )
    assert {f"kind={kind}" for kind in ("text", "not", "or", "absent", "picture", "changed")} <= {
        g for g, _ in figures
    }


def test_a_picture_and_words_on_the_command_line(
    shop: Runtime, judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`mmsearch search --image FILE "but blue"`."""
    commands_see(shop, monkeypatch)
    picture = str(next((judged / "pictures").glob("*.jpg")))
    done = CliRunner().invoke(app, ["search", "--image", picture, "but blue", "--json"])
    assert done.exit_code == 0, done.output
    assert {"product_id", "relevance", "fused", "verdict", "evidence"} == set(
        json.loads(done.stdout)["hits"][0]
    )
