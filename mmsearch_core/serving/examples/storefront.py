"""Reads published results in Python 3.11 and later, with the standard library alone. Copy this
file: it needs no other.

    from storefront import Storefront
    results = Storefront("https://results.shop.example/")
    found = results.look_up("Red Dress", "en")
    for hit in found["hits"] if found else []:
        show(hit["product_id"])

The address is that of the work bucket, or of whatever serves its folder results/ over HTTP. Price
and stock come from your own systems.
"""

import json
import re
import time
import unicodedata
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

# the same white space as in storefront.mjs; \s of another language is another set
SPACES = re.compile(
    r"[\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+"
)

FILES = 64  # bucket files that stay in memory
ABSENT = (403, 404)  # S3 says 403 of what is not there to whoever may not list the bucket


def normalise(text: str) -> str:
    """What counts as the same query: NFKC, lower case, NFKC again, white space collapsed and cut
    off at both ends."""
    lower = unicodedata.normalize("NFKC", well_formed(text)).lower()
    return SPACES.sub(" ", unicodedata.normalize("NFKC", lower)).strip(" ")


def query_key(text: str, locale: str) -> str:
    """The key of a query in a locale: sha256 of "q1|locale|normalised text", in hex."""
    return sha256(f"q1|{well_formed(locale)}|{normalise(text)}".encode()).hexdigest()


def well_formed(text: str) -> str:
    """Half a surrogate pair becomes U+FFFD, as it does in a browser."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@dataclass
class Generation:
    """What was read of the current generation."""

    name: str
    buckets: dict[str, str]
    withdrawn: frozenset[str]
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


class Storefront:
    """The published results under an address, as they are now. One for each thread."""

    def __init__(self, address: str, *, seconds: float = 60, timeout: float = 5) -> None:
        """``seconds``: how long CURRENT and WITHDRAWN.json are not asked for again; ``timeout`` of
        a request."""
        self._address = address.rstrip("/") + "/"
        self._seconds, self._timeout = seconds, timeout
        self._opened: Generation | None = None
        self._until = 0.0

    def look_up(self, text: str, locale: str) -> dict[str, Any] | None:
        """The query, its locale and its hits, the best first; None where the query was not
        precomputed: ask your own search then."""
        key = query_key(text, locale)
        opened = self._current()
        entries = self._entries(key, opened)
        if entries is None:  # the generation was deleted since: read the pointer again
            self._until = 0
            opened = self._current()
            entries = self._entries(key, opened)
        if entries is None:
            raise LookupError("A bucket file of the current generation is missing.")
        if key not in entries:
            return None
        hits = [hit for hit in entries[key]["hits"] if hit["product_id"] not in opened.withdrawn]
        return {**entries[key], "hits": hits}

    def _current(self) -> Generation:
        if self._opened is None or time.monotonic() >= self._until:
            try:
                self._opened = self._open()
            except (OSError, ValueError, LookupError):
                if self._opened is None:
                    raise
                # the store is away: what was read last is still good
            self._until = time.monotonic() + self._seconds
        return self._opened

    def _open(self) -> Generation:
        current = self._json("results/CURRENT")
        if current is None:
            raise LookupError("Nothing is published yet.")
        name = current["generation"]
        withdrawn = frozenset((self._json("results/WITHDRAWN.json") or {}).get("products", ()))
        if self._opened and self._opened.name == name:
            return Generation(name, self._opened.buckets, withdrawn, self._opened.files)
        manifest = self._json(f"results/{name}/manifest.json")
        if manifest is None:
            raise LookupError(f"Generation {name} has no manifest.")
        return Generation(name, manifest["buckets"], withdrawn)

    def _entries(self, key: str, opened: Generation) -> dict[str, Any] | None:
        """All results of the bucket file that holds a key, or None where the file is gone."""
        number = int(key[:8], 16) % len(opened.buckets)
        file = opened.buckets[f"{number:03x}"]
        if file not in opened.files:
            found = self._json(file)
            if found is None:
                return None
            if len(opened.files) >= FILES:
                del opened.files[next(iter(opened.files))]
            opened.files[file] = found
        return opened.files[file]

    def _json(self, key: str) -> Any:
        """The content of an object, or None where there is none."""
        try:
            with urlopen(self._address + quote(key), timeout=self._timeout) as answer:  # noqa: S310 the shop's own address
                return json.load(answer)
        except HTTPError as error:
            if error.code in ABSENT:
                return None
            raise
