"""A page without a text of its own is asked for its tables, which are found and asked as others."""

import json
from collections.abc import Sequence
from dataclasses import replace

from mmsearch_core.errors import BadRecord
from mmsearch_core.prompts import load
from mmsearch_core.records.question import Answer, Question
from mmsearch_core.testing.fake_models import FakeVisionLanguageModel
from tests.contracts.test_tables_dataset import cells
from tests.documents.made import colored, pdf, text
from tests.line import fake_runtime, feed, index
from tests.records.test_grid import SIZES, table


class Reading(FakeVisionLanguageModel):
    """Sees a size chart on every page that it is asked to read."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def answer(self, questions: Sequence[Question]) -> list[Answer | BadRecord]:
        self.asked += [question.text for question in questions]
        return list(map(self._seen, questions, super().answer(questions)))

    def _seen(self, question: Question, answer: Answer | BadRecord) -> Answer | BadRecord:
        if isinstance(answer, BadRecord) or "tables" not in json.loads(answer.text):
            return answer
        seen = {**json.loads(answer.text), "tables": [table(SIZES)]}
        return replace(answer, text=json.dumps(seen))


def test_a_scan_is_read_and_a_page_with_text_described() -> None:
    runtime = fake_runtime().having(vlm=Reading())
    feed(runtime, {"p1": "Lumen 1"})
    runtime.catalog.put("pictures/p1/a.pdf", pdf(text("Care"), colored((30, 60, 200))))
    (report,) = index(runtime)
    assert report.assets["live"] == 1
    prompts = [load("describe_page").text(), load("read_page").text()]
    assert runtime.vlm.asked == prompts  # type: ignore[attr-defined]
    found = cells(runtime)
    assert [(each["page"], each["text"]) for each in found] == [
        (2, "S"),
        (2, "68"),
        (2, "M"),
        (2, "76"),
    ]
    assert {each["source"] for each in found} == {"model"}
    rows = runtime.index.rows_between(runtime.target().collection, "0", "g")
    said = {stored.row.text for stored in rows if stored.row.kind == "table_row"}
    assert said == {"Size S; Waist 68", "Size M; Waist 76"}


def test_both_prompts_decide_descriptions_of_documents_alone() -> None:
    from mmsearch_core.media.document import DOCUMENT
    from mmsearch_core.media.picture import PICTURE

    assert DOCUMENT.prompts == ("describe_page", "read_page")
    assert PICTURE.prompts == ("describe",)
