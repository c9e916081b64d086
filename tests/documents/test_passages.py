"""What can be found of a page."""

from importlib.metadata import version

from hypothesis import given
from hypothesis import strategies as st

from mmsearch_core.media.document import DOCUMENT, LONGEST_PIECE, MOST_ROWS, passages, pieces
from mmsearch_core.media.picture import PICTURE
from mmsearch_core.media.tables import row_texts
from mmsearch_core.media.words import Words
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import AssetId, PixelsId, ProductId, SegmentId
from mmsearch_core.records.segment import Page, Segment
from mmsearch_core.settings import Decode
from mmsearch_core.testing.fake_tables import table_of


def test_a_page_is_found_by_its_caption_and_by_its_text() -> None:
    page = Segment(
        segment_id=SegmentId("s"),
        asset_id=AssetId("a"),
        product_id=ProductId("p"),
        where=Page(number=3),
        pixels=PixelsId("x"),
        text="Waist\n" + "84 cm " * 300,
    )
    product = Product(product_id=ProductId("p"), title={"en": "Lumen"}, facts={})
    found = passages(Words(segment=page, description=None, product=product))
    assert [(each.kind, each.where) for each in found] == [
        ("caption", Page(number=3)),
        *[("page_text", Page(number=3))] * 3,
    ]
    assert found[0].text == "Lumen"
    assert found[1].text == "Waist"
    assert len({each.passage_id for each in found}) == 4


@given(st.text(alphabet="ab \n", max_size=6000))
def test_no_word_is_lost_and_no_piece_is_too_long(text: str) -> None:
    found = list(pieces(text))
    assert all(0 < len(piece) <= LONGEST_PIECE for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_paragraphs_stay_together_where_they_fit() -> None:
    short, long = "a" * 600, "b" * 600
    assert list(pieces(f"{short}\n{long}")) == [short, long]
    assert list(pieces("one\ntwo")) == ["one\ntwo"]
    assert next(iter(pieces("word " * 400))) == ("word " * 200).strip()


def test_the_recipe_of_pages_names_the_library_that_draws_them() -> None:
    """Whose next major version makes all pages anew, once it is allowed and named."""
    drawn_by = f"pymupdf {version('pymupdf').split('.')[0]}"
    assert DOCUMENT.decode_recipe(Decode()).settings["renderer"] == drawn_by
    assert "renderer" not in PICTURE.decode_recipe(Decode()).settings


def test_of_a_page_with_very_many_rows_only_so_many_are_found_each() -> None:
    page = Segment(
        segment_id=SegmentId("s"),
        asset_id=AssetId("a"),
        product_id=ProductId("p"),
        where=Page(number=3),
        pixels=PixelsId("x"),
        text="sizes",
    )
    table = table_of([["size"], *[[str(number)] for number in range(2 * MOST_ROWS)]])
    found = passages(Words(segment=page, description=None, product=None, tables=(table,)))
    rows = [each for each in found if each.kind == "table_row"]
    assert len({each.passage_id for each in rows}) == MOST_ROWS
    assert rows[0].text == "size 0"
    assert isinstance(rows[0].where, Page)
    assert rows[0].where.number == 3
    assert rows[0].where.box == row_texts(table)[0][2]
