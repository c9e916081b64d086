"""How the catalog bucket is read: which product a key belongs to, what kind of asset it is, what a feed line says."""

import json
import re
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from mmsearch_core.errors import BadSettings, PreconditionFailed
from mmsearch_core.ports import ObjectStore
from mmsearch_core.records.asset import Kind, Product
from mmsearch_core.records.ids import ProductId

KINDS: dict[str, Kind] = {
    **dict.fromkeys((".mp4", ".mov", ".mkv", ".webm", ".avi"), "video"),
    **dict.fromkeys((".pdf",), "document"),
}


class ProductOf:
    """The product a key belongs to, by ``catalog.product_pattern``: its first group."""

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            raise BadSettings(f"catalog.product_pattern is not a regular expression ({error}): correct it.") from error
        if self._pattern.groups < 1:
            raise BadSettings("catalog.product_pattern needs one group that holds the product id.")

    def __call__(self, key: str) -> ProductId | None:
        found = self._pattern.search(key)
        return ProductId(found.group(1)) if found else None


def kind_of(key: str) -> Kind:
    """By the key's ending; what has none of a video or a document is opened as a picture."""
    return KINDS.get(PurePosixPath(key).suffix.lower(), "picture")


class FeedLine(BaseModel):
    """What a line of the feed has to hold; everything else in it are facts."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)

    product_id: str = Field(min_length=1)
    title: str | dict[str, str]  # without a language: English
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


def to_product(line: bytes) -> Product:
    """The product of a feed line; ValueError says what is wrong with it."""
    if b"\\u0000" in line:
        raise ValueError("it holds a NUL, which no database keeps")
    try:
        said = FeedLine.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}") from error
    extra = said.model_extra or {}
    return Product(
        product_id=ProductId(said.product_id),
        title={"en": said.title} if isinstance(said.title, str) else said.title,
        url=said.url,
        price=said.price,
        currency=said.currency,
        in_stock=said.in_stock,
        facts={name: value if isinstance(value, str) else json.dumps(value) for name, value in extra.items()},
    )


def add_to_feed(catalog: ObjectStore, feed: str, product: str, title: str) -> bool:
    """Whether the feed knew the product; if not, it does now."""
    while True:
        there = catalog.head(feed)
        data = (catalog.get(feed) or b"") if there else b""
        lines = data.decode().splitlines()
        if any(json.loads(line).get("product_id") == product for line in lines if line.startswith("{")):
            return True
        line = json.dumps({"product_id": product, "title": {"en": title}, "in_stock": True}, ensure_ascii=False)
        try:
            body = "\n".join([*lines, line, ""]).encode()
            catalog.put(feed, body, if_match=there.etag if there else None, if_none_match=there is None)
        except PreconditionFailed:
            continue
        return False
