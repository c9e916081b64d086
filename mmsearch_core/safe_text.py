"""Text from outside, before people see it: no control characters, no escape sequences, no
credentials.

Titles, queries, keys and error messages come from a shop, its shoppers and other people's servers.
A terminal obeys escape sequences in them, and an address may hold a password. Whatever prints goes
through this module.
"""

import json
import re
import unicodedata
from functools import cache
from typing import Any

# categories of Unicode that a terminal obeys or cannot encode: control characters (C0, DEL, C1),
# halves of surrogate pairs, and the separators of lines and paragraphs
HARMFUL_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
# format characters that change the order of what is shown, or hide text in it
HARMFUL_CHARACTERS = {
    *"\u061c\u200e\u200f\ufeff",
    *map(chr, range(0x202A, 0x202F)),  # embeddings and overrides
    *map(chr, range(0x2066, 0x206A)),  # isolates
    *map(chr, range(0xE0000, 0xE0080)),  # tags
}
# user:password@ of an address, up to the last @: whoever forgets to encode a slash in a password
# writes it so
USER_INFO = re.compile(r"(?<=://)[^\s'\"]+@")
SECRET_PARAMETER = re.compile(
    r"(?<=[?&])([^=&\s]*(?:token|secret|password|passwd|pwd|signature|credential|key)[^=&\s]*)=[^&\s#]*",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    r"""The text on one line, every harmful character as its escape (``\x1b``, ``\u202e``); all else
    as it is."""
    return "".join(
        _escaped(character) if _is_harmful(character) else character for character in text
    )


def redacted(text: str) -> str:
    """The text without the user names, passwords and secret parameters of addresses in it."""
    return SECRET_PARAMETER.sub(r"\1=…", USER_INFO.sub("…@", text))


def to_json_text(value: Any, *, indent: int | None = None) -> str:
    """Valid JSON that can be written to any terminal: harmful characters in strings are JSON's own
    escapes."""
    dumped = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(
        _json_escaped(character) if character != "\n" and _is_harmful(character) else character
        for character in dumped
    )


@cache
def _is_harmful(character: str) -> bool:
    return character in HARMFUL_CHARACTERS or unicodedata.category(character) in HARMFUL_CATEGORIES


def _escaped(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escaped(character: str) -> str:
    # with ensure_ascii, so a pair of surrogates where one is needed
    return json.dumps(character)[1:-1]
