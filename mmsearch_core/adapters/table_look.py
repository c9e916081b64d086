"""Whether a page may hold a table at all, by a look at its words that costs next to nothing: most
pages hold none, and to read tables costs half a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Word = tuple[Any, ...]  # as PyMuPDF has it: left, top, right, bottom, text, and where it belongs
GAP = 0.75  # heights of a line that the pieces of a row are apart; words are 0.3 apart
SHORT = 5  # words, with which a piece of a row is no line of a paragraph
MOST_LINES = 2_000  # that are looked at


def may_hold_table(words: Sequence[Word]) -> bool:
    """Whether two lines near each other have several pieces, all but one of them short."""
    last = None
    for line in _lines(words)[:MOST_LINES]:
        top, height = line[0][1], line[0][3] - line[0][1]
        if not _is_row(_pieces(line)):
            continue
        # a row of the table may be a few lines high
        if last is not None and top - last < 8 * height:
            return True
        last = top
    return False


def _lines(words: Sequence[Word]) -> list[list[Word]]:
    """The words that stand beside each other, from the left; lines from the top."""
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word[1] + word[3]) / 2):
        middle = (word[1] + word[3]) / 2
        if lines and middle < lines[-1][0][3] - (lines[-1][0][3] - lines[-1][0][1]) * 0.25:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [sorted(line, key=lambda word: float(word[0])) for line in lines]


def _pieces(line: list[Word]) -> list[int]:
    """How many words each piece of the line has."""
    pieces, end = [0], line[0][0]
    for word in line:
        if word[0] - end > GAP * (word[3] - word[1]):
            pieces.append(0)
        pieces[-1] += 1
        end = max(end, word[2])
    return pieces


def _is_row(pieces: list[int]) -> bool:
    short = sum(count <= SHORT for count in pieces)
    return len(pieces) >= 2 and short >= len(pieces) - 1
