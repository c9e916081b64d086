"""The whole line on the real parts: SeaweedFS, Milvus Lite, SQLite, and the models that travel with
mmsearch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.demo.catalog import write_sample
from mmsearch_core.records.ids import ProductId
from mmsearch_core.records.report import CloseReport
from mmsearch_core.search.cells import current_cells
from mmsearch_core.search.clips import clips_of
from mmsearch_core.serving.results import Results
from mmsearch_core.wiring.batches import Runtime
from tests.conftest import Servers
from tests.line import index, search

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parent.parent.parent
FRAMES = 4.0  # a second
NEAR = 0.5  # seconds


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sample, with three films and six size charts, of which three are scans."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, products=24)
    return folder


@pytest.fixture(scope="module")
def shop(servers: Servers, sample: Path) -> Runtime:
    """Its catalog in real buckets."""
    settings = servers.settings.model_copy(
        update={
            "search": servers.settings.search.model_copy(update={"candidates": 12, "buckets": 16}),
            "query_log": servers.settings.query_log.model_copy(update={"popular": 8}),
            # the small Qwen3-VL was taught with so many
            "decode": servers.settings.decode.model_copy(update={"frames_per_second": FRAMES}),
        }
    )
    runtime = Runtime(settings)
    for store in (runtime.catalog, runtime.work):
        assert isinstance(store, S3Store)
        store.create()
    for folder, prefix in (("catalog", ""), ("queries", "queries/")):
        for path in sorted((sample / folder).rglob("*")):
            if path.is_file():
                runtime.catalog.put(
                    prefix + path.relative_to(sample / folder).as_posix(), path.read_bytes()
                )
    runtime.catalog.put("pictures/p0001/broken.jpg", b"\xff\xd8\xff no picture")
    return runtime


@pytest.fixture(scope="module")
def indexed(shop: Runtime) -> CloseReport:
    """The report of the first index run."""
    (report,) = index(shop)
    return report


def test_the_bucket_is_indexed_and_the_broken_picture_is_named(
    shop: Runtime, indexed: CloseReport
) -> None:
    """Every file of the bucket is live, but for the picture that no decoder opens."""
    files = list(shop.catalog.list("pictures/"))
    assert indexed.assets == {
        "live": len(files) - 1,
        "failed": 1,
        "removed": 0,
        "unsettled": 0,
    }
    target = shop.live_target()
    # a page of a document has a row for its caption, its text and each row of its tables
    assets = {asset for _, asset, _ in shop.index.builds(target.collection)}
    assert len(assets) == len(files) - 1
    ((key, failure),) = shop.ledger.failures(target.target_id, limit=5)
    assert (key, failure.stage) == ("pictures/p0001/broken.jpg", "decode")


@pytest.mark.usefixtures("indexed")
def test_what_happens_in_films_is_found_at_its_second(shop: Runtime, sample: Path) -> None:
    """Most of it: the model's card says how much."""
    found = []
    for product, changes in json.loads((sample / "films.json").read_text()).items():
        clips = clips_of(ProductId(product), "", shop.line().stores, shop.live_target(), shop.sbert)
        for change in changes:
            near = [
                clip
                for clip in clips
                if abs(clip.start - change["start"]) <= NEAR
                and abs(clip.end - change["end"]) <= NEAR
            ]
            found.append(any(change["text"]["en"] in clip.why for clip in near))
    assert len(found) >= 6
    assert sum(found) >= 0.8 * len(found)


@pytest.mark.usefixtures("indexed")
def test_every_value_of_a_size_chart_is_data_whether_it_has_its_text_or_is_scanned(
    shop: Runtime, sample: Path
) -> None:
    charts = json.loads((sample / "charts.json").read_text())
    read: dict[str, dict[tuple[int, int], str]] = {}
    sources = set()
    for cells in current_cells(shop.work, shop.ledger, shop.live_target()):
        for cell in cells.to_pylist():
            place = cell["row_number"], cell["column_number"]
            read.setdefault(cell["product"], {})[place] = cell["text"]
            sources.add(cell["source"])
            assert cell["header"] == [charts[cell["product"]][0][place[1]]]
    assert read == {
        product: {
            (row, column): text
            for row, texts in enumerate(rows)
            for column, text in enumerate(texts)
            if row > 0
        }
        for product, rows in charts.items()
    }
    assert len(sources) == 2


@pytest.mark.usefixtures("indexed")
def test_results_are_published_in_both_languages_and_a_second_night_is_free(shop: Runtime) -> None:
    """No model call, no write to Milvus, the same generation."""
    first = search(shop)
    assert first.published
    assert first.queries >= 6
    results = Results(shop.work)
    for query, locale in (("red striped dress", "en"), ("红色连衣裙", "zh")):
        listed = results.look_up(query, locale)
        assert listed is not None
        assert listed.hits
    before = set(shop.index.builds(shop.live_target().collection))
    assert index(shop, "run-2") == []
    second = search(shop, "run-2")
    assert (second.published, second.generation) == (False, first.generation)
    assert second.model_calls.made == 0
    assert set(shop.index.builds(shop.live_target().collection)) == before


@pytest.fixture
def environment(servers: Servers) -> dict[str, str]:
    """What a task is started with."""
    store = servers.settings.store
    assert store.secret_key is not None
    return {
        **os.environ,
        "MMSEARCH_STORE__ENDPOINT": store.endpoint or "",
        "MMSEARCH_STORE__ACCESS_KEY": store.access_key or "",
        "MMSEARCH_STORE__SECRET_KEY": store.secret_key.get_secret_value(),
        "MMSEARCH_INDEX__URI": servers.settings.index.uri,
        "MMSEARCH_LEDGER__URL": servers.settings.ledger.url,
        "MMSEARCH_DECODE__FRAMES_PER_SECOND": str(FRAMES),
    }


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize(
    ("variable", "value", "code", "says"),
    [
        ("MMSEARCH_STORE__ENDPOINT", "http://127.0.0.1:9", 75, "does not answer"),
        ("MMSEARCH_INDEX__URI", "http://127.0.0.1:9", 75, "does not answer"),
        ("MMSEARCH_STORE__SECRET_KEY", "wrong", 78, "access_key"),
        ("MMSEARCH_MODELS__VLM", "/no/such/model", 78, "models.vlm"),
        ("MMSEARCH_SHARDS__SIZE", "none", 78, "shards.size"),
        ("MMSEARCH_CATALOG__FEED", "no-feed.jsonl", 78, "catalog.feed"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_an_exit_code(
    environment: dict[str, str], variable: str, value: str, code: int, says: str
) -> None:
    """75 for what may heal by itself, 78 for what a person has to change."""
    done = run({**environment, variable: value}, "tasks.compare", "--run", "wrong")
    assert done.returncode == code, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert says in last
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("indexed")
def test_a_task_prints_one_json_line_and_the_command_line_answers(
    environment: dict[str, str],
) -> None:
    """compare finds nothing to do; search and status answer in JSON."""
    done = run(environment, "tasks.compare", "--run", "again")
    assert json.loads(done.stdout.splitlines()[-1])["batches"] == []
    found = json.loads(
        run(environment, "mmsearch_core.cli", "search", "red striped dress", "--json").stdout
    )
    assert {"query", "generation", "hits"} == set(found)
    assert {"product_id", "relevance", "fused", "verdict", "evidence"} == set(found["hits"][0])
    status = json.loads(run(environment, "mmsearch_core.cli", "status", "--json").stdout)
    assert status["index"]["targets"][0]["assets"]["failed"] == 1
    unknown = run(environment, "mmsearch_core.cli", "results", "never asked before")
    assert unknown.returncode == 78
    assert "mmsearch search" in unknown.stderr
