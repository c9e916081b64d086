"""The sample catalog is the same every time, and its feed gives nothing away."""

import json
from pathlib import Path

import pytest

from mmsearch_core.demo.catalog import write_sample
from mmsearch_core.demo.vocabulary import TERMS


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small one."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, products=12)
    return folder


def test_it_is_deterministic(sample: Path, tmp_path: Path) -> None:
    """Byte by byte."""
    write_sample(tmp_path, products=12)
    files = [path.relative_to(sample) for path in sorted(sample.rglob("*")) if path.is_file()]
    assert len(files) > 12
    assert all((sample / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


def test_every_product_has_a_picture_and_some_have_two(sample: Path) -> None:
    """And one picture lies there twice."""
    products = [json.loads(line) for line in (sample / "catalog/products.jsonl").read_text().splitlines()]
    counts = [len(list((sample / "catalog/pictures" / p["product_id"]).glob("*.jpg"))) for p in products]
    assert min(counts) == 1
    assert 2 in counts
    first = sample / "catalog/pictures/p0001"
    assert (first / "copy of 1.jpg").read_bytes() == (first / "1.jpg").read_bytes()


def test_the_feed_says_nothing_of_looks(sample: Path) -> None:
    """Only the pictures know color, pattern and category."""
    feed = (sample / "catalog/products.jsonl").read_text().lower()
    words = [word for terms in TERMS.values() for term in terms.values() for word in (term.en, term.zh)]
    assert [word for word in words if word.lower() in feed] == []


def test_the_log_has_both_languages_and_two_weeks(sample: Path) -> None:
    """People, typing errors, junk and robots."""
    days = sorted((sample / "queries").glob("*.jsonl"))
    lines = [json.loads(line) for day in days for line in day.read_text().splitlines()]
    assert len(days) == 14
    assert {line["locale"] for line in lines} == {"en", "zh"}
    assert any(line["session"].startswith("robot") for line in lines)
