"""`mmsearch tables`."""

import json

import pytest

from mmsearch_core.errors import BadSettings
from mmsearch_core.wiring.batches import Runtime
from tests.cli.test_commands import mmsearch
from tests.documents.made import pdf
from tests.line import commands_see, fake_runtime, feed, index
from tests.stages.test_read_tables import CHART, lines

DOCUMENT = "pictures/p1/chart.pdf"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Two documents with tables."""
    runtime = fake_runtime()
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2"})
    runtime.catalog.put(DOCUMENT, pdf(lines("Care"), lines(*CHART)))
    runtime.catalog.put(
        "pictures/p2/[red]care[/red].pdf", pdf(lines("part | heat (C)", "shell | 30"))
    )
    index(runtime)
    commands_see(runtime, monkeypatch)
    return runtime


@pytest.mark.usefixtures("shop")
def test_a_select_is_answered_as_table_and_as_json() -> None:
    sql = "SELECT product, page, label, number, unit FROM cells WHERE number > 70"
    assert "76" in mmsearch("tables", sql)
    said = json.loads(mmsearch("tables", sql, "--json"))
    assert said["rows"] == [
        {"product": "p1", "page": 2, "label": "M", "number": 76.0, "unit": "cm"}
    ]
    assert (said["cut"], said["sql"]) == (False, sql)


@pytest.mark.usefixtures("shop")
def test_boxes_are_told() -> None:
    sql = "SELECT x0, y0, x1, y1 FROM cells WHERE text = '76'"
    assert json.loads(mmsearch("tables", sql, "--json"))["rows"] == [
        {"x0": 500, "y0": 666, "x1": 1000, "y1": 1000}
    ]


@pytest.mark.usefixtures("shop")
def test_what_there_is_is_shown_with_and_without_its_option() -> None:
    for arguments in ((), ("--columns",)):
        said = json.loads(mmsearch("tables", *arguments, "--json"))
        waist = next(one for one in said["columns"] if one["header"] == "waist (cm)")
        assert (waist["units"], waist["values"], waist["greatest"]) == (["cm"], 2, 76.0)
        assert [one["product"] for one in said["documents"]] == ["p1", "p2"]
    assert "waist (cm)" in mmsearch("tables")
    assert "[red]care" in mmsearch("tables")


@pytest.mark.usefixtures("shop")
def test_a_request_in_words_is_answered_and_shows_what_was_asked() -> None:
    said = json.loads(mmsearch("tables", "--ask", "size chart: waist at least 700 mm", "--json"))
    assert [row["label"] for row in said["rows"]] == ["M"]
    assert said["conditions"] == [
        {"header": "waist (cm)", "op": ">=", "value": "700", "unit": "mm"}
    ]
    shown = mmsearch("tables", "--ask", "waist at least 70 cm")
    assert "Asked for: waist (cm) >= 70 cm" in shown
    assert "76" in shown


@pytest.mark.usefixtures("shop")
def test_of_many_rows_some_are_shown_and_it_is_said() -> None:
    assert "There are more than these 2 rows" in mmsearch(
        "tables", "SELECT 1 FROM cells", "--limit", "2"
    )


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("DROP TABLE cells",), "Give one SELECT"),
        (("SELECT * FROM read_csv('/etc/passwd')",), "no files"),
        (("SELECT nothing FROM cells",), "cannot be answered: .*nothing"),
        (("--ask", "price at least 3"), "No table has a column called “price”"),
        (("--ask", "something"), "could not turn the request"),
        (("SELECT 1", "--ask", "waist"), "one of them"),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadSettings, match=said) as refused:
        mmsearch("tables", *arguments)
    assert "\n" not in str(refused.value)


def test_a_document_that_goes_takes_its_tables_along(shop: Runtime) -> None:
    shop.catalog.delete(DOCUMENT)
    index(shop, "run-2")
    assert json.loads(mmsearch("tables", "SELECT DISTINCT product FROM cells", "--json"))[
        "rows"
    ] == [{"product": "p2"}]
