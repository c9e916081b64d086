"""The feed: a file of the catalog bucket with a product per line. Its lines are cleaned and checked
here, and nowhere else: what comes from here can be kept by every database and shown on every
terminal."""

import codecs
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    field_validator,
)

from mmsearch_core.errors import BadSettings, Busy, PreconditionFailed
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import ProductId

READER = 1  # raised when a line is read otherwise than before: every feed is then taken anew
LONGEST_LINE = 1_000_000  # bytes
LONGEST_TITLE = 1_000  # bytes per language; what is beyond is cut off
LONGEST_REASON = 200  # characters; it may quote the line
DEEPEST = 20  # objects and lists in each other
ADD_TRIES = 5

# escape sequences of a terminal, then all other control characters
CONTROLS = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x1f\x7f-\x9f]+"
)
UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and half a character: no database keeps them
NAMED_FIRST = re.compile(r'\s*\{\s*"product_id"\s*:\s*("(?:[^"\\]|\\.)*"|\d+)')
# the longest that RFC 5646 asks for
Language = Annotated[str, StringConstraints(min_length=1, max_length=35)]


class FeedLine(BaseModel):
    """What a line of the feed has to hold; everything else in it are facts."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)

    product_id: str = Field(min_length=1)
    title: str | Annotated[dict[Language, str], Field(max_length=50)]  # without a language: English
    url: str | None = None
    price: FiniteFloat | None = None
    currency: str | None = Field(default=None, max_length=8)
    in_stock: bool = True

    @field_validator("product_id")
    @classmethod
    def _fits(cls, name: str) -> str:
        if len(name.encode()) > 255:
            raise ValueError("a product id may have 255 bytes")
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line that cannot be read; ``product_id`` is the product that it names, if that much can be
    read."""

    product_id: ProductId | None
    reason: str


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(number, line) of every line of a feed that is not blank; of one that is too long, a little
    more than is allowed. One line is held at a time."""
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file), start=1):
            data = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if data.strip():
                yield number, data


def read_line(line: bytes) -> Product | Unreadable:
    """The product of a line of the feed, or what is wrong with it."""
    try:
        if len(line) > LONGEST_LINE:
            raise ValueError(f"it is longer than {LONGEST_LINE} bytes")
        return _to_product(_parsed(line))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}"
    except (ValueError, OverflowError, RecursionError) as error:
        reason = f"line: {error}"
    return Unreadable(product_id=named_product(line), reason=cleaned_title(reason)[:LONGEST_REASON])


def named_product(line: bytes) -> ProductId | None:
    """The product that a line names, also where the rest of it cannot be read."""
    text = line[:LONGEST_LINE].decode(errors="surrogateescape")
    try:
        said = json.loads(text, strict=False)
        name = said.get("product_id") if isinstance(said, dict) else None
    except (ValueError, RecursionError):
        name = _named_first(text)
    if not isinstance(name, str | int | float) or isinstance(name, bool):
        return None
    product = str(name)
    fits = 0 < len(product.encode(errors="replace")) <= 255
    return ProductId(product) if fits and not UNKEEPABLE.search(product) else None


def cleaned_title(title: str) -> str:
    """The title without control characters and escape sequences, at most ``LONGEST_TITLE`` bytes of
    it."""
    if CONTROLS.search(title):
        title = " ".join(CONTROLS.sub(" ", title).split())
    return title.encode()[:LONGEST_TITLE].decode(errors="ignore")


def add_to_feed(catalog: ObjectStore, feed: str, product: str, title: str) -> bool:
    """Whether the feed named the product; if not, it does now, in a line after all others, which
    stay as they are. Busy if others kept writing the feed."""
    wanted = {"product_id": product, "title": {"en": UNKEEPABLE.sub("", title)}, "in_stock": True}
    line = json.dumps(wanted, ensure_ascii=False).encode(errors="replace")
    checked = read_line(line)
    if checked.product_id != product or isinstance(checked, Unreadable):
        reason = checked.reason if isinstance(checked, Unreadable) else "its name is no text"
        raise BadSettings(
            f"The product {product!r} cannot be added to the feed ({reason}): correct its name."
        )
    for attempt in range(ADD_TRIES):
        try:
            return _add(catalog, feed, ProductId(product), line)
        except PreconditionFailed:
            time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 no secret
    raise Busy(
        f"The feed {catalog.bucket}/{feed} is being written by others: add {product} again in a"
        " minute."
    )


def _add(catalog: ObjectStore, feed: str, product: ProductId, line: bytes) -> bool:
    with own_folder() as folder:
        path = Path(folder) / "feed"
        there = catalog.head(feed)
        if there is None:
            catalog.put(feed, line + b"\n", if_none_match=True)
            return False
        catalog.download(there, path)
        if any(named_product(each) == product for _, each in read_lines(path)):
            return True
        body = path.read_bytes()
        gap = b"" if not body or body.endswith(b"\n") else b"\n"
        catalog.put(feed, body + gap + line + b"\n", if_match=there.etag)
        return False


def _lines(file: Any) -> Iterator[bytes]:
    """Split before decoding: only a line feed ends a line, and one bad byte costs one line."""
    while line := file.readline(LONGEST_LINE + 1):
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
        yield line


def _named_first(text: str) -> Any:
    """The product_id of a line that begins with it and breaks off or goes wrong later."""
    first = NAMED_FIRST.match(text)
    try:
        return json.loads(first.group(1), strict=False) if first else None
    except ValueError:
        return None


def _parsed(line: bytes) -> FeedLine:
    try:
        if b"\\u0000" not in line:
            return FeedLine.model_validate_json(line)
    except ValidationError as error:
        if error.errors(include_input=False, include_url=False)[0]["type"] != "json_invalid":
            raise
    # not as strict: half characters and NUL are left out, and a tab may stand in a text as it is
    said = json.loads(line.decode(), strict=False)
    if not isinstance(said, dict):
        raise ValueError("it is not an object of JSON")
    if UNKEEPABLE.search(str(said.get("product_id"))):
        raise ValueError("its product_id holds a NUL or half a character")
    return FeedLine.model_validate(_keepable(said, DEEPEST))


def _keepable(value: Any, deeper: int) -> Any:
    if deeper < 0:
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    if isinstance(value, str):
        return UNKEEPABLE.sub("", value)
    if isinstance(value, list):
        return [_keepable(each, deeper - 1) for each in value]
    if isinstance(value, dict):
        return {
            UNKEEPABLE.sub("", name): _keepable(each, deeper - 1) for name, each in value.items()
        }
    return value


def _to_product(said: FeedLine) -> Product:
    extra = said.model_extra or {}
    said_titles = {"en": said.title} if isinstance(said.title, str) else said.title
    titles = {language: cleaned_title(title) for language, title in said_titles.items()}
    return Product(
        product_id=ProductId(said.product_id),
        title=titles,
        url=said.url,
        price=said.price,
        currency=said.currency,
        in_stock=said.in_stock,
        facts={
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in extra.items()
        },
    )
