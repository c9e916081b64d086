"""Figures of the line on judged queries, on fakes; and the files that judged queries come in."""

import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from mmsearch_core.cli.app import main
from mmsearch_core.errors import BadSettings
from mmsearch_core.stages.search.judged_queries import read_judged
from mmsearch_core.wiring.batches import Runtime
from tasks import evaluate
from tests.line import commands_see, fake_runtime, feed, index, picture

COLORS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def shop() -> Runtime:
    """Four products a color."""
    runtime = fake_runtime(search={"buckets": 16})
    for color in COLORS:
        for number in range(4):
            runtime.catalog.put(
                f"pictures/{color[0]}{number}/1.jpg", picture(color, size=40 + number)
            )
    feed(runtime, {f"{color[0]}{number}": "Lumen" for color in COLORS for number in range(4)})
    index(runtime)
    return runtime


def folder(path: Path, queries: list[dict[str, Any]], grades: dict[str, list[str]]) -> Path:
    (path / "queries.jsonl").write_text("\n".join(json.dumps(query) for query in queries))
    lines = [f"{query} 0 {product} 2" for query, products in grades.items() for product in products]
    (path / "qrels.txt").write_text("\n".join(lines))
    return path


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    (tmp_path / "green.jpg").write_bytes(picture("green", size=60))
    queries = [
        {"query_id": "q1", "locale": "en", "text": "red dress"},
        {"query_id": "q2", "locale": "zh", "text": "蓝色连衣裙"},
        {"query_id": "q3", "locale": "en", "picture": "green.jpg"},
        {"query_id": "q4", "locale": "en", "picture": "green.jpg", "text": "red"},
        {"query_id": "not judged", "locale": "en", "text": "green dress"},
    ]
    fits = {"q1": "r", "q2": "b", "q3": "g", "q4": "r"}
    return folder(
        tmp_path, queries, {name: [f"{color}{n}" for n in range(4)] for name, color in fits.items()}
    )


def test_rows_go_from_chance_to_the_best(shop: Runtime, judged: Path) -> None:
    report = evaluate.work(shop, str(judged))
    rows = {(row.group, row.row): row for row in report.rows}
    assert report.queries == 4
    assert report.left_out == ()
    assert rows["all", "oracle"].means["ndcg@10"] == rows["all", "judged"].means["ndcg@10"] == 1
    assert rows["all", "random"].means["ndcg@10"] < 0.7
    assert rows["all", "ceiling"].means["ndcg@10"] == 1
    assert rows["all", "fused"].means["recall@50"] == 1
    assert {group for group, _ in rows} == {
        "all",
        "locale=en",
        "locale=zh",
        "kind=picture",
        "kind=text",
    }
    assert rows["locale=zh", "clip"].queries == 1
    assert 0 < report.headroom.p_value <= 1


def test_a_second_evaluation_asks_no_model_for_what_it_said(shop: Runtime, judged: Path) -> None:
    first = evaluate.work(shop, str(judged))
    calls = shop.vlm.calls  # type: ignore[attr-defined]
    assert evaluate.work(shop, str(judged)) == first
    assert shop.vlm.calls == calls  # type: ignore[attr-defined]


def test_what_the_command_prints_is_json_alone(
    shop: Runtime, judged: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands_see(shop, monkeypatch)
    monkeypatch.setattr("sys.argv", ["mmsearch", "evaluate", str(judged), "--json"])
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        structlog.reset_defaults()
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["queries"] == 4


@pytest.mark.parametrize(
    ("queries", "qrels", "complaint"),
    [
        ("{", "q1 0 p1 1", r"queries\.jsonl:1 is not a JSON object"),
        ('{"query_id": "q1", "locale": "en"}', "q1 0 p1 1", "neither text nor picture"),
        (
            '{"query_id": "q1", "locale": "en", "picture": "no.jpg"}',
            "q1 0 p1 1",
            r"queries\.jsonl:1",
        ),
        ('{"query_id": "q1", "locale": "en", "text": "a"}', "q1 0 p1", r"qrels\.txt:1 is not"),
        ('{"query_id": "q1", "locale": "en", "text": "a"}', "q2 0 p1 1", "have to agree"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(
    tmp_path: Path, queries: str, qrels: str, complaint: str
) -> None:
    (tmp_path / "queries.jsonl").write_text(queries)
    (tmp_path / "qrels.txt").write_text(qrels)
    with pytest.raises(BadSettings, match=complaint):
        read_judged(tmp_path)


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="name a folder of judged queries"):
        read_judged(tmp_path / "no")
