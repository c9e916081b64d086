"""How well the tiny Qwen3-VL reads scanned size charts: measured on charts and scans that it was
not trained on, opened as the shop's documents are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from more_itertools import chunked

from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.adapters.transformers_vlm import TransformersVLM
from mmsearch_core.answers import to_description
from mmsearch_core.demo.size_chart import MEASURES, SizeChart, page, scanned, size_chart
from mmsearch_core.demo.training.scans import scrambled
from mmsearch_core.errors import BadRecord
from mmsearch_core.prompts import load
from mmsearch_core.records.ids import SegmentId
from mmsearch_core.records.question import Answer, Frame, Question
from mmsearch_core.records.table import Cell, Table
from mmsearch_core.settings import Decode, Models

SCANS = 80
BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A size chart and the tables that were read of its scan."""

    chart: SizeChart
    tables: tuple[Table, ...]

    @property
    def exact(self) -> list[bool]:
        """Of each cell whether its text was read exactly, at its row and column."""
        read = {(cell.row, cell.column): cell.text for cell in self._cells()}
        return [
            read.get((row, column)) == text
            for row, texts in enumerate(self.chart.rows)
            for column, text in enumerate(texts)
        ]

    def _cells(self) -> Iterator[Cell]:
        for table in self.tables[:1]:
            yield from table.cells


def held_out_scans(seed: int) -> Iterator[tuple[SizeChart, bytes]]:
    """Size charts with their scans; every other one has numbers that nobody can guess."""
    rng = np.random.default_rng((seed, 4))
    for number in range(SCANS):
        chart = size_chart(str(rng.choice(list(MEASURES))), rng)
        chart = scrambled(chart, rng) if number % 2 else chart
        yield chart, scanned(page(chart, rng), rng)


def reading(vlm: TransformersVLM, seed: int) -> list[Read]:
    """The held-out scans as the model reads them."""
    prompt, charts, asked = load("read_page"), [], []
    for chart, data in held_out_scans(seed):
        (shown,) = open_document(data, Decode())
        charts.append(chart)
        asked.append(
            Question(
                system=prompt.system,
                text=prompt.text(),
                frames=(Frame(jpeg=shown.jpeg),),
                schema=prompt.answer,
                most_pixels=Models().page_pixels,
                most_tokens=prompt.most_tokens,
            )
        )
    answers = [answer for some in chunked(asked, BATCH) for answer in vlm.answer(some)]
    return [
        Read(chart=chart, tables=_tables(answer))
        for chart, answer in zip(charts, answers, strict=True)
    ]


def _tables(answer: Answer | BadRecord) -> tuple[Table, ...]:
    if isinstance(answer, BadRecord):
        return ()
    try:
        return to_description(answer.text, SegmentId("")).tables
    except BadRecord:
        return ()
