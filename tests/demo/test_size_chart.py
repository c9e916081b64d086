"""Size charts of the sample shop: a document says its cells, its scan only shows them."""

import numpy as np
import pytest

from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.demo.size_chart import MEASURES, SizeChart, page, scanned, size_chart, written
from mmsearch_core.demo.vocabulary import CATEGORIES
from mmsearch_core.settings import Decode


def chart_of(category: str, seed: int = 1) -> SizeChart:
    return size_chart(category, np.random.default_rng(seed))


@pytest.mark.parametrize("category", list(MEASURES))
def test_a_chart_is_a_whole_table_with_a_header(category: str) -> None:
    for seed in range(20):
        chart = chart_of(category, seed)
        assert len({len(row) for row in chart.rows}) == 1
        assert 3 <= len(chart.rows) - 1 <= 5
        assert all(float(text) > 0 for row in chart.rows[1:] for text in row[1:])


def test_every_garment_of_the_shop_has_sizes() -> None:
    assert set(MEASURES) == {category.en for category in CATEGORIES}


@pytest.mark.parametrize("seed", range(4))
def test_a_document_says_its_cells_and_a_scan_shows_them_only(seed: int) -> None:
    chart = chart_of("dress", seed)
    rng = np.random.default_rng(seed)
    (native,) = open_document(written(page(chart, rng)), Decode())
    said = "".join(native.text.split())
    cells = ["".join(text.split()) for row in chart.rows for text in row]
    assert [text for text in cells if text not in said] == []
    (scan,) = open_document(scanned(page(chart, rng), rng), Decode())
    assert scan.text == ""
    assert len(scan.jpeg) > 10_000


def test_the_same_chart_gives_the_same_bytes() -> None:
    first, again = (
        scanned(page(chart_of("bag"), rng), rng)
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert first == again
    assert written(page(chart_of("bag"), np.random.default_rng(3))) == written(
        page(chart_of("bag"), np.random.default_rng(3))
    )
