"""What commands print, whatever a shop's titles, a shopper's query or a bucket's keys hold."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsearch_core.cli import app as command
from mmsearch_core.cli.console import say, show_figures, show_json
from mmsearch_core.cli.hits import FoundHits, show_hits
from mmsearch_core.codec import to_json_value
from mmsearch_core.errors import StageMissing
from mmsearch_core.records.ids import AssetId, ProductId
from mmsearch_core.records.ranking import Evidence
from mmsearch_core.records.report import EvaluateReport, Headroom
from mmsearch_core.records.segment import Whole
from mmsearch_core.safe_text import printable
from mmsearch_core.serving.published_lists import PublishedHit
from tests.test_safe_text import hostile

markup = st.sampled_from(["[/m²]", "[bold]", "[/]", "[link=http://x]", ":smile:", "\\[", "[40-42]"])
text = st.lists(hostile | markup, max_size=4).map("".join)


def found(query: str, seen: str, *, product: str = "p1", verdict: Any = None) -> FoundHits:
    """One hit of a query; a text that is no verdict may stand in its place."""
    evidence = Evidence(
        asset_id=AssetId("a"), key="pictures/p1/1.jpg", where=Whole(), text=seen, reason=""
    )
    hit = PublishedHit(
        product_id=ProductId(product),
        relevance=0.5,
        fused=0.02,
        verdict=verdict,
        evidence=evidence,
    )
    return FoundHits(query=query, generation=None, hits=(hit,))


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no cell is cut or wrapped."""
    monkeypatch.setenv("COLUMNS", "1000")


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """A command sets up its own logs."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=text, seen=text, product=text, verdict=st.none() | text)
def test_a_table_of_hits_is_harmless(
    query: str, seen: str, product: str, verdict: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    show_hits(found(query, seen, product=product, verdict=verdict), as_json=False)
    shown = capsys.readouterr().out.replace("\n", "")
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "title", ["Tiles 9.50 [/m²]", "size [40-42] red", "[bold]", "a :smile: b", "\\[x]"]
)
def test_markup_in_a_title_is_text(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_hits(found(f"{title}?", title), as_json=False)
    shown = capsys.readouterr().out
    assert f"{title}?" in shown
    assert f"{title} " in shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=text, seen=text)
def test_json_of_hits_is_one_valid_line(
    query: str, seen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hits = found(query, seen)
    show_hits(hits, as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == json.loads(json.dumps(to_json_value(hits)))


def test_json_keeps_the_shops_languages_readable(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"query": "红色连衣裙 für 9 €"})
    assert capsys.readouterr().out == '{"query": "红色连衣裙 für 9 €"}\n'


def test_figures_of_a_folder_with_a_hostile_name_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = EvaluateReport(
        index="c@1",
        queries=0,
        left_out=(),
        rows=(),
        headroom=Headroom(recovered=0.1, p_value=0.5),
    )
    show_figures(report, as_json=False, title="judged/[/x]\x1b[2J")
    shown = capsys.readouterr().out
    assert r"judged/[/x]\x1b[2J" in shown


def test_a_sentence_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("s3://catalog/pictures/p1/a\nb\x1b[31m.jpg")
    assert capsys.readouterr().out == "s3://catalog/pictures/p1/a\\x0ab\\x1b[31m.jpg\n"


@pytest.mark.usefixtures("logging_as_before")
def test_an_error_about_hostile_text_is_one_harmless_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StageMissing(
            "“red\x1b]0;owned\x07 \ud800” is not among the published queries: try another."
        )

    monkeypatch.setattr(command, "app", fail)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert r"\x1b]0;owned\x07 \ud800" in line
