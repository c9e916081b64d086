"""What every reader of tables keeps to."""

import pytest

from mmsearch_core.errors import BadRecord
from mmsearch_core.ports.media import TableReader
from mmsearch_core.testing.fake_tables import FakeTableReader
from tests.documents.made import pdf
from tests.stages.test_read_tables import CHART, lines

DOCUMENT = pdf(lines("Care"), lines(*CHART), lines("a | b", "1 | 2"))


@pytest.fixture
def reader() -> TableReader:
    return FakeTableReader()


def test_there_is_one_answer_per_document_in_order(reader: TableReader) -> None:
    first, second = reader.read([(DOCUMENT, [2]), (DOCUMENT, [1, 3])])
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (list(first), list(second)) == ([2], [3])


def test_pages_that_were_not_asked_for_are_not_answered(reader: TableReader) -> None:
    (found,) = reader.read([(DOCUMENT, [1])])
    assert found == {}


def test_what_is_no_document_is_an_error_of_its_own(reader: TableReader) -> None:
    bad, good = reader.read([(b"%PDF-1.7 and no more", [1]), (DOCUMENT, [2])])
    assert isinstance(bad, BadRecord)
    assert isinstance(good, dict)


def test_the_name_does_not_change(reader: TableReader) -> None:
    assert reader.name == type(reader).name
