"""The feed: a file of the catalog bucket with a product a line."""

import codecs
import json

import structlog
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from mmsearch_core.errors import BadSettings, PreconditionFailed
from mmsearch_core.ports import ObjectStore
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import ProductId

log = structlog.get_logger()


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


def read_feed(catalog: ObjectStore, key: str) -> tuple[list[Product], int]:
    """The products of the feed and how many of its lines could not be read; a product named twice: the last counts."""
    data = catalog.get(key)
    if data is None:
        raise BadSettings(f"The feed {catalog.bucket}/{key} is not there: upload it or correct catalog.feed.")
    products: dict[ProductId, Product] = {}
    read = unreadable = 0
    # split before decoding: only a line feed ends a line, and one bad byte costs one line
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            product = to_product(line)
            products[product.product_id] = product
            read += 1
        except ValueError as error:
            unreadable += 1
            log.warning("feed.line_unreadable", line=number, error=str(error))
    if read > len(products):
        log.warning("feed.products_named_twice", lines=read - len(products))
    return list(products.values()), unreadable


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
