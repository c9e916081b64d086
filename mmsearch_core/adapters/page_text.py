"""The text of a page as people would type it, since a search finds only words that are written
alike."""

import re
import unicodedata
from collections.abc import Iterable

LONGEST_TEXT = 40_000  # characters of a page that are kept; a book has 3,000 on one
# Unicode categories that nobody reads: controls, marks of formatting, halves of surrogate pairs,
# private and unassigned
UNREAD = ("Cc", "Cf", "Cs", "Co", "Cn")
KEPT = "\u200c\u200d"  # marks of formatting that belong to words of Persian and Hindi
NO_CHARACTER = "\ufffd"  # a glyph of which the document does not say which letter it is
# the last part of a word that was divided at the end of a line
DIVIDED = re.compile("\u00ad\\s*\n\\s*")
# a hyphen at the end of a line, which may be one of the word's own
HYPHENATED = re.compile("(?<=\\w[-\u2010])\n\\s*(?=\\w)")
# Chinese and Japanese, which put no space between words: a new line there is none, either
IDEOGRAPH = "[\u3001-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff9f]"
WRAPPED = re.compile(f"(?<={IDEOGRAPH})\\s*\n\\s*(?={IDEOGRAPH})")
# joined letters (one sign for "fi") and Arabic letters by their shape within a word
SHAPED = re.compile("[\ufb00-\ufdff\ufe70-\ufefc]+")


def page_text(paragraphs: Iterable[str]) -> str:
    """The text of a page, a paragraph a line, of at most ``LONGEST_TEXT`` characters.

    :param paragraphs: as the document has them; their lines end with a newline. Not all are taken
        from it where the text gets too long.
    """
    lines: list[str] = []
    length = 0
    for paragraph in paragraphs:
        line = as_typed(paragraph[: 2 * LONGEST_TEXT])
        if line:
            lines.append(line)
            length += len(line) + 1
        if length > LONGEST_TEXT:
            break
    return "\n".join(lines)[:LONGEST_TEXT]


def as_typed(paragraph: str) -> str:
    """The paragraph in one line, in plain letters and with nothing that cannot be read."""
    lines = paragraph.replace("\r\n", "\n")
    whole = WRAPPED.sub("", HYPHENATED.sub("", DIVIDED.sub("", lines)))
    letters = SHAPED.sub(_letters, whole)
    readable = "".join(map(_read, letters))
    # an accent that stands behind its letter becomes one sign with it, as keyboards give it
    composed = unicodedata.normalize("NFC", readable)
    return " ".join(composed.split())


def _letters(shaped: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", shaped[0])


def _read(character: str) -> str:
    if character.isspace():
        return " "
    if character in KEPT:
        return character
    unread = character == NO_CHARACTER or unicodedata.category(character) in UNREAD
    return "" if unread else character
