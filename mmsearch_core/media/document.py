"""Documents: a segment a page, found by what is seen on it and by its text."""

from collections.abc import Iterator, Mapping
from itertools import islice

from mmsearch_core.media.kind import Media
from mmsearch_core.media.tables import row_texts
from mmsearch_core.media.words import Words, caption_passage, passage_of
from mmsearch_core.records.passage import Passage
from mmsearch_core.records.segment import Page
from mmsearch_core.records.table import Box, Table
from mmsearch_core.settings import Decode

MOST_ROWS = 200  # of a page that are found each by itself; the dataset of tables has all of them
LONGEST_PIECE = 1_000  # characters of a page's text in one passage, about what SBERT reads
RENDERER = "pymupdf 2"  # another major version may draw and read pages otherwise


def passages(words: Words) -> list[Passage]:
    """The caption, the page's own text in pieces, and the rows of its tables."""
    segment = words.segment
    found = [caption_passage(words)]
    for number, piece in enumerate(pieces(segment.text)):
        found.append(passage_of(words, "page_text", number, text=piece, where=segment.where))
    assert isinstance(segment.where, Page)
    for number, (row, box) in enumerate(islice(_rows(words), MOST_ROWS)):
        place = Page(number=segment.where.number, box=box)
        found.append(passage_of(words, "table_row", number, text=row, where=place))
    return found


def _rows(words: Words) -> Iterator[tuple[str, Box]]:
    """The rows of the page's tables in words, and where each stands: each says its headers, and is
    found by them."""
    for table in tables_of(words):
        yield from ((text, box) for _, text, box in row_texts(table) if text)


def tables_of(words: Words) -> tuple[Table, ...]:
    """The tables of a page: those of its text layer, or what was seen where it has no text."""
    if words.segment.text or words.description is None:
        return words.tables
    return words.description.tables


def pieces(text: str) -> Iterator[str]:
    """The text, whose paragraphs are lines, in pieces of whole paragraphs; a paragraph that is too
    long is cut between words, and a word that is too long anywhere."""
    piece = ""
    for line in text.splitlines():
        for part in _parts(line):
            if piece and len(piece) + 1 + len(part) > LONGEST_PIECE:
                yield piece
                piece = ""
            piece = f"{piece}\n{part}" if piece else part
    if piece:
        yield piece


def _parts(line: str) -> Iterator[str]:
    while len(line) > LONGEST_PIECE:
        cut = line.rfind(" ", 1, LONGEST_PIECE + 1)
        cut = cut if cut > 0 else LONGEST_PIECE
        yield line[:cut].strip()
        line = line[cut:].strip()
    if line:
        yield line


def decode_settings(settings: Decode) -> Mapping[str, str]:
    """What decides how a page looks and what it says."""
    return {
        "page_side": str(settings.page_side),
        "quality": str(settings.quality),
        "renderer": RENDERER,
    }


DOCUMENT = Media(
    name="document",
    endings=frozenset({".pdf"}),
    decode_version=3,
    decode_settings=decode_settings,
    prompt="describe_page",
    prompt_without_text="read_page",
    describe_version=2,
    passages_version=3,
    passages=passages,
    segments=8,
    tables_of=tables_of,
)
