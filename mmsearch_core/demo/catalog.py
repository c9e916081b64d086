"""The sample catalog: product pictures drawn from held-out Fashion-MNIST photographs, their feed, and the truth."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmsearch_core.demo.picture import draw, garments
from mmsearch_core.demo.queries import write_queries
from mmsearch_core.demo.vocabulary import CATEGORIES, POPULAR_LOOKS, Look, every_look

BRANDS = (("Lumen", "流明"), ("Nordlys", "北光"), ("Kestrel", "红隼"), ("Alba", "晨曦"), ("Marlow", "马洛"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleProduct:
    """A product of the sample shop; nothing in its feed line says what it looks like."""

    product_id: str
    look: Look
    photo: int  # number of the photograph in its category's band
    pictures: int

    @property
    def feed_line(self) -> dict[str, object]:
        """The product's line of ``products.jsonl``."""
        number = int(self.product_id.removeprefix("p"))
        english, chinese = BRANDS[number % len(BRANDS)]
        return {
            "product_id": self.product_id,
            "title": {"en": f"{english} {1000 + number}", "zh": f"{chinese} {1000 + number}"},
            "price": round(19 + (number * 37) % 120 + 0.95, 2),
            "currency": "EUR",
            "url": f"https://shop.example/p/{self.product_id}",
            "in_stock": number % 17 != 5,
        }


def sample_products(count: int, seed: int) -> list[SampleProduct]:
    """Products with popular looks first, several of each, then any look."""
    import numpy as np

    rng = np.random.default_rng(seed)
    others = every_look()
    rng.shuffle(others)
    looks = [*POPULAR_LOOKS, *POPULAR_LOOKS, *others][:count]
    bands = {category.en: list(rng.permutation(garments().shape[1])) for category in CATEGORIES}
    products = []
    for number, look in enumerate(looks, start=1):
        photos = bands[look.category]
        photo = int(photos.pop() if photos else rng.integers(garments().shape[1]))
        pictures = 2 if number % 5 == 0 else 1
        products.append(SampleProduct(product_id=f"p{number:04}", look=look, photo=photo, pictures=pictures))
    return products


def pictures_of(product: SampleProduct, seed: int) -> Iterator[bytes]:
    """The product's pictures as JPEG: the same photograph in another pose and light each."""
    import numpy as np

    band = [category.en for category in CATEGORIES].index(product.look.category)
    for number in range(product.pictures):
        rng = np.random.default_rng((seed, int(product.product_id.removeprefix("p")), number))
        out = io.BytesIO()
        draw(garments()[band, product.photo], product.look, rng).save(out, "JPEG", quality=90)
        yield out.getvalue()


def write_sample(folder: Path, *, products: int = 64, seed: int = 7) -> None:
    """Write ``catalog/`` (pictures and feed), ``queries/`` (the log, a file a day) and ``truth.json`` beside them."""
    catalog = folder / "catalog"
    sample = sample_products(products, seed)
    for product in sample:
        for number, jpeg in enumerate(pictures_of(product, seed), start=1):
            _write(catalog / f"pictures/{product.product_id}/{number}.jpg", jpeg)
    copied = catalog / f"pictures/{sample[0].product_id}"
    _write(copied / "copy of 1.jpg", (copied / "1.jpg").read_bytes())
    lines = [json.dumps(product.feed_line, ensure_ascii=False) for product in sample]
    _write(catalog / "products.jsonl", "\n".join([*lines, ""]).encode())
    truth = {product.product_id: product.look.attributes() for product in sample}
    _write(folder / "truth.json", json.dumps(truth, indent=1).encode())
    write_queries(folder / "queries", seed=seed)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
